/** Which open sessions a reload may keep. */
import { isDeepStrictEqual } from 'node:util';
import type { EgressSettings } from './context.ts';

/** Whether sessions opened by the old settings are as the new ones want them: routes say where, and all say which TLS. */
export function fitSessions({ config: old }: EgressSettings, { config: now }: EgressSettings): boolean {
  const wishes = ({ routes, senders, strategies, nodes, egress }: EgressSettings['config']): unknown => [
    routes,
    egress.port,
    senders.map((sender) => [sender.name, sender.tls, sender.nodes.map(({ node }) => node)]),
    strategies.map(({ name, tls, helo }) => [name, tls, helo]),
    nodes.map(({ name, strategies: own }) => [name, own !== null]),
  ];
  return isDeepStrictEqual(wishes(old), wishes(now));
}
