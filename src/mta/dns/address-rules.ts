/**
 * Addresses that an MX must not lead to: nothing but this machine answers there. BlockList compares addresses, not
 * texts, so `::1`, `0:0::1` and `::ffff:127.0.0.1` need no care.
 */
import { BlockList, isIPv6 } from 'node:net';

export type AddressFault = 'loopback' | 'self';

export type AddressRule = (address: string) => AddressFault | undefined;

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4');

function localAddresses(): BlockList {
  const list = new BlockList();
  list.addSubnet('127.0.0.0', 8, 'ipv4');
  list.addSubnet('0.0.0.0', 8, 'ipv4'); // "this network", connects to the host itself
  list.addAddress('::', 'ipv6');
  list.addAddress('::1', 'ipv6');
  return list;
}

/** `selfAddresses` are the addresses this host receives mail on; `allowLoopback` is for tests and demo networks. */
export function addressRule(selfAddresses: ReadonlySet<string>, allowLoopback: boolean): AddressRule {
  const local = localAddresses();
  const self = new BlockList();
  for (const address of selfAddresses) self.addAddress(address, familyOf(address));
  return (address) => {
    const family = familyOf(address);
    if (self.check(address, family)) return 'self';
    return !allowLoopback && local.check(address, family) ? 'loopback' : undefined;
  };
}
