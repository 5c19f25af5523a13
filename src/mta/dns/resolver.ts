/**
 * The resolver of the program: cache, single flight, limits on time to live, figures. It knows no sockets; what it
 * does not have it asks a `Lookup` for. Questions of the same name and type under way are asked once. Failures are
 * remembered for two seconds at most, so that a burst for one broken domain is one question and recovery is quick.
 */
import type { Clock } from '../../core/index.ts';
import {
  dnsFailure,
  type AnyAnswer,
  type DnsAnswer,
  type QueryType,
  type Question,
  type Resolver,
  type ResolverStats,
} from './answer.ts';
import { ExpiringCache } from './cache.ts';
import { exchangeTcp, exchangeUdp } from './exchange.ts';
import { createLookup, type Lookup } from './lookup.ts';
import { parseServer, type DnsServer } from './servers.ts';

export interface CacheLimits {
  readonly cacheSize: number;
  readonly clock: Clock;
  readonly minTtlMs?: number;
  readonly maxTtlMs?: number;
  /** Cap of the TTL of `nodata` and `nxdomain`. */
  readonly negativeTtlMs?: number;
}

export interface ResolverOptions extends CacheLimits {
  /** `ip`, `ip:port`, `[v6]:port`; at least one, in order of preference. */
  readonly servers: readonly string[];
  /** For a whole query over all servers and tries. */
  readonly timeoutMs: number;
  /** Tries per server, 2 by default. */
  readonly attempts?: number;
  /** Questions on the wire at once, 250 by default; 20,000 more may wait. */
  readonly maxOutstanding?: number;
}

/**
 * A burst of questions must fit the server's socket: Linux gives it 212,992 bytes by default and counts 768 for a small
 * datagram. Measured on loopback: 250 at once lose none, 500 lose some (which costs a try), 1,000 fail one in fifteen.
 */
const MAX_OUTSTANDING = 250;
const MAX_WAITING = 20_000;
const FAILURE_TTL_MS = 2_000;
/** An answer larger than this is not kept, so that the cache is bounded in bytes too (characters of record data). */
const MAX_KEPT_CHARS = 8_192;
const DAY_MS = 86_400_000;

/** Throws on an empty list or an address that is not one: the configuration has checked both. */
export function createResolver(options: ResolverOptions): Resolver {
  const closing = new AbortController();
  const lookup = createLookup({
    servers: serversOf(options.servers),
    timeoutMs: options.timeoutMs,
    attempts: options.attempts ?? 2,
    clock: options.clock,
    maxOutstanding: options.maxOutstanding ?? MAX_OUTSTANDING,
    maxWaiting: MAX_WAITING,
    signal: closing.signal,
    udp: exchangeUdp,
    tcp: exchangeTcp,
  });
  return new CachingResolver(lookup, options, () => closing.abort());
}

function serversOf(texts: readonly string[]): DnsServer[] {
  if (texts.length === 0) throw new TypeError('a resolver needs at least one DNS server');
  return texts.map((text) => {
    const server = parseServer(text);
    if (!server) throw new TypeError(`not the address of a DNS server: ${text}`);
    return server;
  });
}

export class CachingResolver implements Resolver {
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  readonly #cache: ExpiringCache<AnyAnswer>;
  readonly #flights = new Map<string, Promise<AnyAnswer>>();
  readonly #limits: { readonly minTtlMs: number; readonly maxTtlMs: number; readonly negativeTtlMs: number };
  readonly #onClose: () => void;
  #closed = false;
  #queries = 0;
  #cacheHits = 0;
  #failures = 0;

  constructor(lookup: Lookup, limits: CacheLimits, onClose: () => void = () => undefined) {
    this.#lookup = lookup;
    this.#clock = limits.clock;
    this.#cache = new ExpiringCache(limits.cacheSize);
    this.#onClose = onClose;
    this.#limits = {
      minTtlMs: limits.minTtlMs ?? 5_000,
      maxTtlMs: limits.maxTtlMs ?? DAY_MS,
      negativeTtlMs: limits.negativeTtlMs ?? 900_000,
    };
  }

  async query<T extends QueryType>(
    name: string,
    type: T,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<DnsAnswer<T>> {
    // A question of type T is answered with records of type T (wire.ts), which the key keeps apart.
    return (await this.#find({ name: canonical(name), type }, options.signal)) as DnsAnswer<T>;
  }

  stats(): ResolverStats {
    return {
      queries: this.#queries,
      cacheHits: this.#cacheHits,
      failures: this.#failures,
      entries: this.#cache.size,
    };
  }

  close(): void {
    this.#closed = true;
    this.#onClose();
  }

  #find(question: Question, signal: AbortSignal | undefined): AnyAnswer | Promise<AnyAnswer> {
    this.#queries++;
    const key = `${question.type} ${question.name}`;
    const nowMs = this.#clock.mono();
    const cached = this.#cache.get(key, nowMs);
    if (cached) {
      this.#cacheHits++;
      return withTtl(cached.value, cached.expiresAtMs - nowMs);
    }
    if (this.#closed) return dnsFailure('network', 'the resolver is closed');
    let flight = this.#flights.get(key);
    if (!flight) {
      flight = this.#fly(key, question);
      this.#flights.set(key, flight);
    }
    return signal ? unlessAborted(flight, signal) : flight;
  }

  async #fly(key: string, question: Question): Promise<AnyAnswer> {
    try {
      const answer = this.#limited(await this.#lookup(question));
      if (answer.kind === 'failure') this.#failures++;
      const ttlMs = answer.kind === 'failure' ? FAILURE_TTL_MS : answer.ttlMs;
      if (charsOf(answer) <= MAX_KEPT_CHARS) this.#cache.set(key, answer, this.#clock.mono() + ttlMs);
      return answer;
    } finally {
      this.#flights.delete(key);
    }
  }

  /** Brings the TTL into our bounds: not so short that we ask all day, not so long that a move is missed. */
  #limited(answer: AnyAnswer): AnyAnswer {
    if (answer.kind === 'failure') return answer;
    const { minTtlMs, maxTtlMs, negativeTtlMs } = this.#limits;
    const cap = answer.kind === 'records' ? maxTtlMs : negativeTtlMs;
    return withTtl(answer, Math.min(Math.max(answer.ttlMs, minTtlMs), cap));
  }
}

const canonical = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name).toLowerCase();

const withTtl = (answer: AnyAnswer, ttlMs: number): AnyAnswer =>
  answer.kind === 'failure' ? answer : { ...answer, ttlMs };

function charsOf(answer: AnyAnswer): number {
  if (answer.kind !== 'records') return 0;
  let chars = 0;
  for (const record of answer.records)
    chars +=
      typeof record === 'string'
        ? record.length
        : 'exchange' in record
          ? record.exchange.length
          : record.certificate.length;
  return chars + answer.records.length * 16;
}

/** The answer, or a failure as soon as the signal fires; the flight itself has its own deadline and other waiters. */
async function unlessAborted(flight: Promise<AnyAnswer>, signal: AbortSignal): Promise<AnyAnswer> {
  const { promise, resolve } = Promise.withResolvers<AnyAnswer>();
  const onAbort = (): void => resolve(dnsFailure('timeout', 'the query was given up by its caller'));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([flight, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
