/** Addresses of peers in one form each, so that they can be compared with networks and written into fields. */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

const MAPPED = '::ffff:';

/** An IPv4 address that came in on an IPv6 socket is shown as what it is. */
export const plainAddress = (address: string | undefined): string =>
  address?.startsWith(MAPPED) && isIPv4(address.slice(MAPPED.length))
    ? address.slice(MAPPED.length)
    : (address ?? '');

/** The address that a text stands for; undefined for one that is none, or not of this family. */
export function readAddress(text: string, family: 'ipv4' | 'ipv6'): string | undefined {
  if (family === 'ipv4') return isIPv4(text) ? text : undefined;
  // A zone means something on one host only.
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return plainAddress(new SocketAddress({ address: text, family }).address);
}

export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';
