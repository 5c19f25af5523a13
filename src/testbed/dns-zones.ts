/**
 * Zone data of the stub DNS server: a plain object, read anew for every question, so a test may change it while the
 * server runs. `*.suffix` answers for every name below suffix that has no entry of its own.
 */
import packet, { type Answer, type Packet, type RecordType } from 'dns-packet';

export interface TlsaData {
  readonly usage: number;
  readonly selector: number;
  readonly matchingType: number;
  readonly certificate: Buffer;
}

export type ZoneBehaviour =
  /** never answered */
  | 'drop'
  /** cut over UDP, whole over TCP */
  | 'truncate'
  /** right id and question, then rubbish */
  | 'garbage'
  /** answered after `slowMs` */
  | 'slow'
  /** answers with a wrong id and a wrong question come first */
  | 'spoof';

export interface ZoneEntry {
  readonly MX?: readonly (readonly [preference: number, host: string])[];
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly TXT?: readonly string[];
  readonly PTR?: readonly string[];
  readonly TLSA?: readonly TlsaData[];
  readonly CNAME?: string;
  /** Seconds, also of negative answers; 300 by default. */
  readonly ttl?: number;
  readonly rcode?: 'SERVFAIL' | 'NXDOMAIN' | 'REFUSED';
  readonly behaviour?: ZoneBehaviour;
  /** Sets the AD bit, as a validating resolver does. */
  readonly secure?: boolean;
}

export type Zones = Readonly<Record<string, ZoneEntry>>;

const RCODES = { SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const DEFAULT_TTL_S = 300;
const MAX_CHAIN = 8;

/** The entry that answers for a name: its own, else that of the nearest wildcard above it (RFC 4592). */
export function entryFor(zones: Zones, name: string): ZoneEntry | undefined {
  const own = zones[name.toLowerCase()];
  if (own) return own;
  for (let rest = name.toLowerCase(); rest.includes('.');) {
    rest = rest.slice(rest.indexOf('.') + 1);
    const wildcard = zones[`*.${rest}`];
    if (wildcard) return wildcard;
  }
  return undefined;
}

/** The reply to a question, aliases followed within the zones; a name without entry does not exist. */
export function answerFromZones(zones: Zones, question: { name: string; type: RecordType }): Packet {
  const answers: Answer[] = [];
  let name = question.name.toLowerCase();
  let entry = entryFor(zones, name);
  for (let hop = 0; hop < MAX_CHAIN && entry?.CNAME && question.type !== 'CNAME'; hop++) {
    answers.push({ name, type: 'CNAME', ttl: entry.ttl ?? DEFAULT_TTL_S, class: 'IN', data: entry.CNAME });
    name = entry.CNAME.toLowerCase();
    entry = entryFor(zones, name);
  }
  const records = entry ? recordsOf(entry, name, question.type) : [];
  const rcode = entry?.rcode ? RCODES[entry.rcode] : entry || isParent(zones, name) ? 0 : RCODES.NXDOMAIN;
  const failed = rcode === RCODES.SERVFAIL || rcode === RCODES.REFUSED;
  const negative = !failed && (rcode !== 0 || records.length === 0);
  return {
    type: 'response',
    flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE | rcode | adBit(entry),
    questions: [{ ...question, class: 'IN' }],
    answers: failed ? [] : rcode === 0 ? [...answers, ...records] : answers,
    authorities: negative ? [soa(name, entry?.ttl ?? DEFAULT_TTL_S)] : [],
  };
}

const adBit = (entry: ZoneEntry | undefined): number => (entry?.secure ? packet.AUTHENTIC_DATA : 0);

/** An empty non-terminal exists, it only has no records (RFC 8020). */
const isParent = (zones: Zones, name: string): boolean =>
  Object.keys(zones).some((key) => key.endsWith(`.${name}`));

function soa(name: string, ttl: number): Answer {
  const data = { mname: 'ns.invalid', rname: 'host.invalid', serial: 1, refresh: 1, retry: 1, expire: 1 };
  return { name, type: 'SOA', class: 'IN', ttl, data: { ...data, minimum: ttl } };
}

function recordsOf(entry: ZoneEntry, name: string, type: RecordType): Answer[] {
  const common = { name, ttl: entry.ttl ?? DEFAULT_TTL_S, class: 'IN' } as const;
  switch (type) {
    case 'A':
    case 'AAAA':
    case 'PTR':
      return (entry[type] ?? []).map((data) => ({ ...common, type, data }));
    case 'MX':
      return (entry.MX ?? []).map(([preference, exchange]) => ({
        ...common,
        type,
        data: { preference, exchange },
      }));
    case 'TXT':
      return (entry.TXT ?? []).map((data) => ({ ...common, type, data: chunksOf(data) }));
    case 'TLSA':
      return (entry.TLSA ?? []).map((data) => ({ ...common, type, data }));
    case 'CNAME':
      return entry.CNAME ? [{ ...common, type, data: entry.CNAME }] : [];
    default:
      return [];
  }
}

/** A character string holds 255 octets (RFC 1035 §3.3). */
function chunksOf(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const chunks: Buffer[] = [];
  for (let i = 0; i === 0 || i < bytes.length; i += 255) chunks.push(bytes.subarray(i, i + 255));
  return chunks;
}
