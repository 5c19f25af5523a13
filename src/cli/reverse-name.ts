/** The name under which the DNS has the PTR of an address (RFC 1035 §3.5, RFC 3596 §2.5). */
import { isIPv6 } from 'node:net';

export function reverseName(address: string): string {
  if (!isIPv6(address)) return `${address.split('.').toReversed().join('.')}.in-addr.arpa`;
  const digits = groupsOf(address)
    .map((group) => group.padStart(4, '0'))
    .join('');
  return `${[...digits].toReversed().join('.')}.ip6.arpa`;
}

function groupsOf(address: string): string[] {
  const parts = (text: string): string[] => (text === '' ? [] : text.toLowerCase().split(':'));
  const [front = '', back] = address.split('::');
  if (back === undefined) return parts(front);
  const [before, after] = [parts(front), parts(back)];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => '0'), ...after];
}
