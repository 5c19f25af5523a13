/** Kinds of values about the network: domains, addresses, host:port pairs, CIDR ranges. */
import { isIP } from 'node:net';
import { err, formatAddress, ok, parseAddress, toAsciiDomain } from '../core/index.ts';
import type { Result } from '../core/index.ts';
import type { Spec } from './kind.ts';
import { describe, expected, textSpec } from './kinds.ts';
import type { Cidr, Endpoint } from './snapshot.ts';

/** A-label form of a host name; an IP address is not one. */
function readDomain(value: string): string | undefined {
  return isIP(value) === 0 && !/^[0-9.]+$/.test(value) ? toAsciiDomain(value) : undefined;
}

export const domain: Spec<string> = textSpec(
  { label: 'domain', json: { type: 'string', format: 'idn-hostname' } },
  'a domain name such as mail.example.com',
  (value) => {
    const name = readDomain(value);
    if (name !== undefined) return ok(name);
    const trimmed = value.replace(/^@|\.$/g, '');
    return expected('a domain name such as mail.example.com', value, readDomain(trimmed));
  },
);

export const domainPattern: Spec<string> = textSpec(
  { label: 'domain, *.suffix or *', json: { type: 'string' } },
  'a domain, *.suffix or *',
  (value) => {
    if (value === '*') return ok(value);
    const suffix = value.startsWith('*.');
    const name = readDomain(suffix ? value.slice(2) : value);
    return name === undefined ? undefined : ok(suffix ? `*.${name}` : name);
  },
);

export const mxPattern: Spec<string> = textSpec(
  { label: 'host or *.suffix', json: { type: 'string' } },
  'a mail host such as mx.example.com or *.example.com',
  (value) => {
    if (value === '*') return err('"*" would match every mail host: write a suffix such as *.example.com');
    const result = domainPattern.read(value);
    return result.ok ? result : undefined;
  },
);

/** The one spelling of an IP address, so that two spellings of one address compare equal (RFC 5952). */
function canonicalIp(value: string): string {
  return isIP(value) === 6 && !value.includes('%')
    ? new URL(`http://[${value}]/`).hostname.slice(1, -1)
    : value;
}

// Binding to "any" would let the kernel choose, so a node would send from the host's address.
const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

export const sourceAddress: Spec<string> = textSpec(
  { label: 'IP address', json: { type: 'string', anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] } },
  'an IP address such as 192.0.2.10 or 2001:db8::10',
  (value) => {
    if (isIP(value) === 0 || value.includes('%')) return undefined;
    const address = canonicalIp(value);
    if (ANY_ADDRESS.has(address))
      return err(`"${value}" means any address, but a node sends from one: write that address`);
    return ok(address);
  },
);

export const email: Spec<string> = textSpec(
  { label: 'email address', json: { type: 'string', format: 'idn-email' } },
  'an email address such as news@example.com',
  (value) => {
    const address = parseAddress(value);
    return address.ok
      ? ok(formatAddress(address.value))
      : err(`"${value}" is no email address: ${address.error}`);
  },
);

interface EndpointRules {
  /** Used when the port is left out; without it the port must be given. */
  readonly defaultPort?: number;
  /** Port 0 lets the system choose a free one: only for listening. */
  readonly anyPort?: boolean;
  readonly onlyIp?: boolean;
}

const ENDPOINT = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/;

function readHost(match: RegExpExecArray, onlyIp: boolean): string | undefined {
  if (match[1] !== undefined) return isIP(match[1]) === 6 ? canonicalIp(match[1]) : undefined;
  const host = match[2] ?? '';
  if (isIP(host) === 4) return host;
  return onlyIp ? undefined : readDomain(host);
}

/** `127.0.0.1:25`, `[::1]:25`, `mx.example.com:25` */
export function endpoint(what: string, rules: EndpointRules): Spec<Endpoint> {
  const label = rules.onlyIp === true ? 'IP:port' : 'host:port';
  const fail = (value: string): Result<never, string> => expected(what, value, guessEndpoint(value, rules));
  return textSpec({ label, json: { type: 'string' } }, what, (value) => {
    const match = ENDPOINT.exec(value);
    const host = match ? readHost(match, rules.onlyIp === true) : undefined;
    if (!match || host === undefined) return fail(value);
    const port = match[3] === undefined ? rules.defaultPort : Number(match[3]);
    if (port === undefined) return fail(value);
    if (port > 65535 || (port === 0 && rules.anyPort !== true))
      return err(`port ${port} is outside 1 to 65535 in "${value}"`);
    return ok({ host, port });
  });
}

function guessEndpoint(value: string, rules: EndpointRules): string | undefined {
  const port = rules.defaultPort ?? 25;
  if (isIP(value) === 6) return `[${value}]:${port}`;
  if (/^:\d+$/.test(value)) return `127.0.0.1${value} (or the address to listen on)`;
  if (readDomain(value) !== undefined || isIP(value) === 4)
    return rules.onlyIp === true && isIP(value) === 0 ? undefined : `${value}:PORT`;
  return undefined;
}

export const resolvers: Spec<readonly Endpoint[]> = {
  kind: { label: 'list of IP:port', json: { type: 'array', items: { type: 'string' }, minItems: 1 } },
  read(value) {
    const one = endpoint('the IP address of a resolver such as 127.0.0.1:53', {
      defaultPort: 53,
      onlyIp: true,
    });
    if (!Array.isArray(value)) return expected('a list', value);
    const servers: Endpoint[] = [];
    for (const item of value as unknown[]) {
      const server = one.read(item);
      if (!server.ok) return server;
      servers.push(server.value);
    }
    return servers.length > 0 ? ok(servers) : err('the list of resolvers is empty: write system');
  },
};

export const cidr: Spec<Cidr> = textSpec(
  { label: 'CIDR', json: { type: 'string' } },
  'a network such as 192.0.2.0/24',
  (value) => {
    const [address = '', bits, ...rest] = value.split('/');
    const version = isIP(address);
    const width = version === 6 ? 128 : 32;
    const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
    if (version === 0 || address.includes('%') || rest.length > 0)
      return err(`expected a network such as 192.0.2.0/24, got ${describe(value)}`);
    if (prefix < 0 || prefix > width)
      return err(`the part after the slash must be 0 to ${width}, got "${bits ?? ''}" in "${value}"`);
    return ok({ address: canonicalIp(address), prefix, family: version === 6 ? 'ipv6' : 'ipv4' });
  },
);

/** RFC 8058 §3.1 wants https for one click. The characters stand in a header field between angle brackets. */
export const unsubscribeUrl: Spec<string> = textSpec(
  { label: 'https URL with {token}', json: { type: 'string', pattern: '^https://.*\\{token\\}' } },
  'an https URL with {token} in it, such as https://u.example.com/{token}',
  (value) =>
    URL.canParse(value) &&
    /^https:\/\/[\x21-\x7e]+$/.test(value) &&
    value.includes('{token}') &&
    !/[<>,]/.test(value)
      ? ok(value)
      : undefined,
);
