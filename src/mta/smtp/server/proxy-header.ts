/**
 * The header of the PROXY protocol, version 1 (text) and 2 (binary), as HAProxy's proxy-protocol.txt has it. Pure and
 * strict: what a load balancer would not write is refused. It is asked again with all bytes so far when more came.
 */
import { readAddress } from './peer-address.ts';

/** The ends of the connection that the proxy took. */
export interface Proxied {
  /** Empty when the proxy does not know it, or it is no IP address. */
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localAddress: string;
}

export type ProxyHeader =
  | { readonly status: 'more' }
  /** `proxied` is undefined for a connection of the proxy itself (LOCAL: its health checks). */
  | { readonly status: 'complete'; readonly length: number; readonly proxied: Proxied | undefined }
  /** One sentence. */
  | { readonly status: 'malformed'; readonly reason: string };

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V1_PREFIX = Buffer.from('PROXY ', 'latin1');
/** Of the specification, CRLF included. */
const V1_MAX_BYTES = 107;
const V2_FIXED_BYTES = 16;
/** Addresses and TLVs. Those of the load balancers in use stay below 1 KB; the length field could say 64 KB. */
const V2_MAX_REST = 4096;

const MORE: ProxyHeader = { status: 'more' };
/** Forwarded, but not from an address: it must not count as the proxy's own. */
const UNKNOWN: Proxied = { peerAddress: '', peerPort: 0, localAddress: '' };

const malformed = (reason: string): ProxyHeader => ({ status: 'malformed', reason });
const complete = (length: number, proxied: Proxied | undefined): ProxyHeader => ({
  status: 'complete',
  length,
  proxied,
});

export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (begins(bytes, SIGNATURE)) return bytes.length < V2_FIXED_BYTES ? MORE : readBinary(bytes);
  if (begins(bytes, V1_PREFIX)) return readText(bytes);
  return malformed('the connection does not begin with a PROXY protocol header');
}

/** True while the bytes may still become, or have become, what begins with the prefix. */
function begins(bytes: Buffer, prefix: Buffer): boolean {
  const length = Math.min(bytes.length, prefix.length);
  return bytes.compare(prefix, 0, length, 0, length) === 0;
}

function readText(bytes: Buffer): ProxyHeader {
  const lf = bytes.subarray(0, V1_MAX_BYTES).indexOf('\n');
  if (lf < 0)
    return bytes.length < V1_MAX_BYTES
      ? MORE
      : malformed(`the PROXY line is longer than ${V1_MAX_BYTES} octets`);
  const line = bytes.toString('latin1', 0, lf);
  if (!line.endsWith('\r')) return malformed('the PROXY line does not end with CRLF');
  const [, protocol = '', ...fields] = line.slice(0, -1).split(' ');
  // What follows UNKNOWN is to be ignored.
  if (protocol === 'UNKNOWN') return complete(lf + 1, UNKNOWN);
  if (protocol !== 'TCP4' && protocol !== 'TCP6')
    return malformed('the PROXY line names another protocol than TCP4, TCP6 and UNKNOWN');
  if (fields.length !== 4) return malformed('the PROXY line does not have two addresses and two ports');
  const family = protocol === 'TCP4' ? 'ipv4' : 'ipv6';
  const peerAddress = readAddress(fields[0]!, family);
  const localAddress = readAddress(fields[1]!, family);
  const peerPort = readPort(fields[2]!);
  if (peerAddress === undefined || localAddress === undefined)
    return malformed(`the PROXY line has an address that is not one of ${protocol}`);
  if (peerPort === undefined || readPort(fields[3]!) === undefined)
    return malformed('the PROXY line has a port that is none');
  return complete(lf + 1, { peerAddress, peerPort, localAddress });
}

export function readPort(text: string): number | undefined {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

const LOCAL = 0x20;
const PROXY = 0x21;
/** Families and transports: what the byte's halves may be. */
const INET = 1;
const INET6 = 2;
const UNIX = 3;
const STREAM = 1;
/** Two addresses and two ports. */
const BLOCK_BYTES: Readonly<Record<number, number>> = { [INET]: 12, [INET6]: 36, [UNIX]: 216 };

function readBinary(bytes: Buffer): ProxyHeader {
  const command = bytes[12]!;
  const family = bytes[13]! >> 4;
  const transport = bytes[13]! & 0x0f;
  const rest = bytes.readUInt16BE(14);
  if (command !== LOCAL && command !== PROXY)
    return malformed('the PROXY header has another version than 2 or another command than LOCAL and PROXY');
  if (rest > V2_MAX_REST)
    return malformed(`the PROXY header announces ${rest} octets, the limit is ${V2_MAX_REST}`);
  const length = V2_FIXED_BYTES + rest;
  if (command === PROXY && (family > UNIX || transport > STREAM))
    return malformed('the PROXY header is for another protocol than TCP');
  const proxies = command === PROXY && transport === STREAM && family > 0;
  if (proxies && rest < BLOCK_BYTES[family]!)
    return malformed('the PROXY header is too short for its addresses');
  if (bytes.length < length) return MORE;
  if (command === LOCAL) return complete(length, undefined);
  // TLVs follow the addresses; none is needed here.
  return complete(
    length,
    proxies && family !== UNIX ? addressesAt(bytes, family === INET ? 4 : 16) : UNKNOWN,
  );
}

function addressesAt(bytes: Buffer, width: 4 | 16): Proxied {
  const at = V2_FIXED_BYTES;
  return {
    peerAddress: addressOf(bytes.subarray(at, at + width)),
    localAddress: addressOf(bytes.subarray(at + width, at + 2 * width)),
    peerPort: bytes.readUInt16BE(at + 2 * width),
  };
}

function addressOf(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => octets.readUInt16BE(2 * i).toString(16));
  return readAddress(groups.join(':'), 'ipv6')!;
}
