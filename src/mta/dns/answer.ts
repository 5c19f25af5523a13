/**
 * What a DNS question can come back with. Every outcome is a value; nothing here throws.
 * Names are lower case, without the final dot; the root is `.` (a null MX, RFC 7505).
 */
export interface MxRecord {
  readonly preference: number;
  readonly exchange: string;
}

export interface TlsaRecord {
  readonly usage: number;
  readonly selector: number;
  readonly matchingType: number;
  readonly certificate: Buffer;
}

/** Record data by type. The strings of one TXT record are joined (RFC 7208 §3.3, RFC 6376 §3.6.2.2). */
export interface RecordOf {
  readonly MX: MxRecord;
  readonly A: string;
  readonly AAAA: string;
  readonly TXT: string;
  readonly PTR: string;
  readonly TLSA: TlsaRecord;
  readonly CNAME: string;
}

export type QueryType = keyof RecordOf;

export interface Question {
  readonly name: string;
  readonly type: QueryType;
}

export type DnsFailureReason = 'timeout' | 'servfail' | 'refused' | 'malformed' | 'network';

export interface DnsFailure {
  readonly kind: 'failure';
  readonly reason: DnsFailureReason;
  readonly text: string;
  /** `ip:port` of the server asked last; empty when none was asked. */
  readonly server: string;
}

/** `ttlMs` is what is left of it; `authenticated` is the AD bit of a validating resolver (RFC 4035 §3.2.3). */
export type DnsAnswer<T extends QueryType = QueryType> =
  | {
      readonly kind: 'records';
      readonly records: readonly RecordOf[T][];
      readonly ttlMs: number;
      readonly authenticated: boolean;
    }
  | { readonly kind: 'nodata'; readonly ttlMs: number; readonly authenticated: boolean }
  | { readonly kind: 'nxdomain'; readonly ttlMs: number; readonly authenticated: boolean }
  | DnsFailure;

/** An answer of any type, as the cache and the wire see it. */
export type AnyAnswer = DnsAnswer;

export interface Resolver {
  /** Never rejects. An aborted `signal` gives a failure at once; the shared lookup goes on for the others. */
  query<T extends QueryType>(
    name: string,
    type: T,
    options?: { readonly signal?: AbortSignal },
  ): Promise<DnsAnswer<T>>;
  stats(): ResolverStats;
  /** Ends outstanding queries as failures and closes their sockets. */
  close(): void;
}

export interface ResolverStats {
  readonly queries: number;
  readonly cacheHits: number;
  readonly failures: number;
  readonly entries: number;
}

export function dnsFailure(reason: DnsFailureReason, text: string, server = ''): DnsFailure {
  return { kind: 'failure', reason, text, server };
}
