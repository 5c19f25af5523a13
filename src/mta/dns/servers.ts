/** Addresses of DNS servers as people write them: `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:53`. */
import { getServers } from 'node:dns';
import { isIP, isIPv4, isIPv6 } from 'node:net';

export interface DnsServer {
  readonly address: string;
  readonly port: number;
}

const DEFAULT_PORT = 53;

/** The server behind a text, or undefined when it is not an address with an optional port. */
export function parseServer(text: string): DnsServer | undefined {
  if (isIP(text) !== 0) return { address: text, port: DEFAULT_PORT };
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const address = match[1] ?? match[2] ?? '';
  const known = match[1] === undefined ? isIPv4(address) : isIPv6(address);
  const port = match[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  return known && port > 0 && port < 65536 ? { address, port } : undefined;
}

export const formatServer = (server: DnsServer): string =>
  isIPv6(server.address) ? `[${server.address}]:${server.port}` : `${server.address}:${server.port}`;

/** The resolvers of this machine; the local one when none is configured, as libc does (resolv.conf(5)). */
export function systemServers(): string[] {
  const servers = getServers();
  return servers.length > 0 ? servers : ['127.0.0.1'];
}
