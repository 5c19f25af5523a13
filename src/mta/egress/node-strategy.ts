/** The speed of a node towards an ISP, and which setting it comes from. */
import { placeOf, strategyFor, writtenAt } from '../../config/index.ts';
import type { Config, IspConfig, NodeConfig, StrategyConfig } from '../../config/index.ts';

/** The node's own strategies, else those of the senders that use it (the configuration sees to it that they agree). */
export function strategyOf(config: Config, node: NodeConfig, isp: string | undefined): StrategyConfig {
  const named = isp === 'other' ? undefined : isp;
  if (node.strategies) return strategyFor(node.strategies, named);
  const sender = config.senders.find(({ nodes }) => nodes.some((share) => share.node === node.name));
  return sender ? strategyFor(sender.strategies, named) : config.strategies[0]!;
}

export interface Chosen {
  readonly chosenBy: string;
  /** `file:line` */
  readonly chosenAt: string | undefined;
}

/** The setting that chose the strategy. */
export function chosenBy(config: Config, node: NodeConfig, isp: IspConfig | undefined): Chosen {
  const { senders, places } = config;
  const sender = senders.find(({ nodes }) => nodes.some((share) => share.node === node.name));
  const choice = node.strategies ?? sender?.strategies;
  if (!choice) return { chosenBy: 'no sender uses the node', chosenAt: undefined };
  const [list, owner] = node.strategies
    ? (['nodes', node.name] as const)
    : (['senders', sender!.name] as const);
  const named = isp && Object.hasOwn(choice.byIsp, isp.name) ? isp.name : 'default';
  const key = `strategies.${named}`;
  const written = writtenAt(places, list, owner, key);
  if (named !== 'default' && written === undefined)
    return {
      chosenBy: `the strategy that ISP ${named} starts with`,
      chosenAt: placeOf(places, 'isps', named, 'strategy'),
    };
  return {
    chosenBy: `${key} of ${list === 'nodes' ? 'node' : 'sender'} ${owner}`,
    chosenAt: written ?? placeOf(places, list, owner, 'strategies'),
  };
}
