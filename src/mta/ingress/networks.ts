/** Whether an address is in one of the networks that the configuration names. */
import { BlockList, isIP } from 'node:net';
import type { Cidr } from '../../config/index.ts';

/** The list is built once for each configuration. An address that is not known is in no network. */
export function networkCheck(networks: () => readonly Cidr[]): (address: string) => boolean {
  let built: { readonly from: readonly Cidr[]; readonly list: BlockList } | undefined;
  return (address) => {
    const from = networks();
    const family = isIP(address);
    if (from.length === 0 || family === 0) return false;
    if (built?.from !== from) built = { from, list: blockList(from) };
    return built.list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  };
}

function blockList(ranges: readonly Cidr[]): BlockList {
  const list = new BlockList();
  for (const { address, prefix, family } of ranges) list.addSubnet(address, prefix, family);
  return list;
}
