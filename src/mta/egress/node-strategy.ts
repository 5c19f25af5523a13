/** The speed of a node towards an ISP, and which setting it comes from. */
import { type Config, type NodeConfig, type StrategyConfig, strategyFor } from '../../config/index.ts';

/** The node's own strategies, else those of the senders that use it (the configuration sees to it that they agree). */
export function strategyOf(config: Config, node: NodeConfig, isp: string | undefined): StrategyConfig {
  const named = isp === 'other' ? undefined : isp;
  if (node.strategies) return strategyFor(node.strategies, named);
  const sender = config.senders.find(({ nodes }) => nodes.some((share) => share.node === node.name));
  return sender ? strategyFor(sender.strategies, named) : config.strategies[0]!;
}
