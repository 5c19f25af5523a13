/**
 * One DNS message out, one in (RFC 1035, RFC 6891). The codec is dns-packet; what it does not check is checked here:
 * id, QR bit, the echoed question, record counts, addresses. A datagram that does not answer our question is
 * `foreign` and to be ignored, because anybody may have sent it; one that does but cannot be read is `malformed`.
 */
import { isIPv4, isIPv6 } from 'node:net';
import packet, { type Answer, type DecodedPacket } from 'dns-packet';
import type { AnyAnswer, QueryType, Question, RecordOf } from './answer.ts';

/** DNS flag day 2020: fits the smallest common path MTU without fragments. */
const EDNS_PAYLOAD_BYTES = 1232;
const HEADER_BYTES = 12;
/** More records than any sane answer has; bounds the work one message can cause. */
const MAX_RECORDS = 512;
const MAX_CHAIN = 8;

export interface WireQuery {
  readonly id: number;
  readonly question: Question;
  readonly bytes: Buffer;
}

export type Reading =
  | AnyAnswer
  | { readonly kind: 'foreign' }
  | { readonly kind: 'truncated' }
  /** A CNAME whose target the server did not look up: ask again for `target`. */
  | {
      readonly kind: 'alias';
      readonly target: string;
      readonly ttlMs: number;
      readonly authenticated: boolean;
    };

/** True for a name that fits a question: ASCII labels of 1 to 63 octets, 253 in all (RFC 1035 §2.3.4). */
export function isQueryName(name: string): boolean {
  if (name.length === 0 || name.length > 253 || !/^[\x21-\x7e]+$/.test(name)) return false;
  return name.split('.').every((label) => label.length > 0 && label.length < 64);
}

/** Asks for recursion, the AD bit (RFC 6840 §5.7) and answers of 1232 bytes. `name` passes `isQueryName`. */
export function encodeQuery(question: Question, id: number): WireQuery {
  const bytes = packet.encode({
    type: 'query',
    id,
    flags: packet.RECURSION_DESIRED | packet.AUTHENTIC_DATA,
    questions: [{ name: question.name, type: question.type, class: 'IN' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: EDNS_PAYLOAD_BYTES,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
  return { id, question, bytes };
}

const fold = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte);

/** Compares the question section with ours, octet by octet; letters in any case (RFC 4343). */
function echoesQuestion(message: Buffer, query: WireQuery): boolean {
  const end = HEADER_BYTES + query.question.name.length + 2 + 4;
  if (message.length < end) return false;
  for (let i = HEADER_BYTES; i < end; i++)
    if (fold(message[i] ?? 0) !== fold(query.bytes[i] ?? 0)) return false;
  return true;
}

/** Reads a message that came back for `query`. `server` is named in failures. */
export function readMessage(message: Buffer, query: WireQuery, server: string): Reading {
  if (message.length < HEADER_BYTES || message.readUInt16BE(0) !== query.id) return { kind: 'foreign' };
  const flags = message.readUInt16BE(2);
  const isResponse = (flags & 0xf800) === 0x8000; // QR set, opcode QUERY
  if (!isResponse) return { kind: 'foreign' };
  const rcode = flags & 0x000f;
  const questions = message.readUInt16BE(4);
  // INTEROP(old servers): an error reply may come without the question section.
  if (questions === 0 && rcode !== 0 && rcode !== 3) return refusalOf(rcode, server);
  if (questions !== 1 || !echoesQuestion(message, query)) return { kind: 'foreign' };
  if ((flags & 0x0200) !== 0) return { kind: 'truncated' };
  if (rcode !== 0 && rcode !== 3) return refusalOf(rcode, server);
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  const decoded = records > MAX_RECORDS ? undefined : decode(message);
  return (decoded && readSections(decoded, query.question, rcode === 3)) ?? malformed(server);
}

function decode(message: Buffer): DecodedPacket | undefined {
  try {
    return packet.decode(message);
  } catch {
    return undefined; // dns-packet throws on what it cannot read; that is an answer too
  }
}

const malformed = (server: string): AnyAnswer => ({
  kind: 'failure',
  reason: 'malformed',
  text: 'the DNS answer cannot be read',
  server,
});

function refusalOf(rcode: number, server: string): AnyAnswer {
  const reason = rcode === 2 ? 'servfail' : 'refused';
  const text = rcode === 2 ? 'SERVFAIL' : rcode === 5 ? 'REFUSED' : `DNS error ${rcode}`;
  return { kind: 'failure', reason, text, server };
}

/** Follows the CNAME chain and collects the records at its end; undefined when the answer makes no sense. */
function readSections(decoded: DecodedPacket, question: Question, nxdomain: boolean): Reading | undefined {
  const answers = decoded.answers ?? [];
  const authenticated = decoded.flag_ad;
  const chain = followChain(answers, question);
  if (!chain) return undefined;
  let ttlMs = chain.ttlMs;
  const records: RecordOf[QueryType][] = [];
  for (const answer of answers) {
    if (answer.type !== question.type || answer.name.toLowerCase() !== chain.owner) continue;
    const data = dataOf(answer);
    if (data === undefined) return undefined;
    ttlMs = Math.min(ttlMs, ttlOf(answer));
    records.push(data);
  }
  if (records.length > 0) return { kind: 'records', records, ttlMs, authenticated };
  const negativeTtlMs = negativeTtl(decoded.authorities ?? []);
  if (nxdomain) return { kind: 'nxdomain', ttlMs: Math.min(ttlMs, negativeTtlMs ?? 0), authenticated };
  if (chain.owner !== question.name.toLowerCase() && negativeTtlMs === undefined)
    return { kind: 'alias', target: chain.owner, ttlMs, authenticated };
  return { kind: 'nodata', ttlMs: Math.min(ttlMs, negativeTtlMs ?? 0), authenticated };
}

function followChain(
  answers: readonly Answer[],
  question: Question,
): { owner: string; ttlMs: number } | undefined {
  let owner = question.name.toLowerCase();
  let ttlMs = Infinity;
  if (question.type === 'CNAME') return { owner, ttlMs };
  for (let hop = 0; hop <= MAX_CHAIN; hop++) {
    const at = owner;
    const alias = answers.find((answer) => answer.type === 'CNAME' && answer.name.toLowerCase() === at);
    if (alias?.type !== 'CNAME') return { owner, ttlMs };
    owner = String(alias.data).toLowerCase();
    ttlMs = Math.min(ttlMs, ttlOf(alias));
  }
  return undefined; // a loop, or longer than anything real
}

/** A TTL with the highest bit set counts as zero (RFC 2181 §8). */
function ttlOf(answer: Answer): number {
  const seconds = 'ttl' in answer ? (answer.ttl ?? 0) : 0;
  return seconds > 0x7fffffff ? 0 : seconds * 1000;
}

/** The lesser of the SOA's own TTL and its minimum field (RFC 2308 §5); undefined without an SOA. */
function negativeTtl(authorities: readonly Answer[]): number | undefined {
  for (const answer of authorities) {
    if (answer.type !== 'SOA') continue;
    return Math.min(ttlOf(answer), (answer.data.minimum ?? 0) * 1000);
  }
  return undefined;
}

function dataOf(answer: Answer): RecordOf[QueryType] | undefined {
  switch (answer.type) {
    case 'A':
      return isIPv4(answer.data) ? answer.data : undefined;
    case 'AAAA':
      return isIPv6(answer.data) ? answer.data : undefined;
    case 'MX':
      return { preference: answer.data.preference ?? 0, exchange: answer.data.exchange.toLowerCase() };
    case 'TXT':
      return textOf(answer.data);
    case 'PTR':
    case 'CNAME':
      return answer.data.toLowerCase();
    case 'TLSA': {
      const { usage, selector, matchingType, certificate } = answer.data;
      return { usage, selector, matchingType, certificate: Buffer.from(certificate) };
    }
    default:
      return undefined;
  }
}

function textOf(data: packet.TxtData): string {
  const parts = Array.isArray(data) ? data : [data];
  return Buffer.concat(parts.map((part) => Buffer.from(part as string))).toString('utf8');
}
