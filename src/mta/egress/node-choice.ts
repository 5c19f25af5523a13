/** Which other node may take over a delivery: one that is up and not locked towards where the mail goes. */
import type { RetryRuleConfig } from '../../config/index.ts';
import type { EgressContext } from './context.ts';

export interface Moving {
  readonly sender: string;
  readonly node: string;
  /** Key of the lane; undefined when it is not known where the mail goes. */
  readonly lane: string | undefined;
}

export class NodeChoice {
  readonly #context: EgressContext;
  readonly #isUp: (node: string) => boolean;
  #turn = 0;

  constructor(context: EgressContext, isUp: (node: string) => boolean) {
    this.#context = context;
    this.#isUp = isUp;
  }

  /** The next usable node of the sender after the one at hand; undefined when there is none. */
  ofSender({ sender, node, lane }: Moving): string | undefined {
    const config = this.#context.settings.senders.get(sender)?.config;
    return this.#next(config?.nodes.map((share) => share.node) ?? [], node, lane);
  }

  /** The same, but taking turns among all that are usable. */
  spread(moving: Moving): string | undefined {
    const config = this.#context.settings.senders.get(moving.sender)?.config;
    const usable = (config?.nodes ?? [])
      .map((share) => share.node)
      .filter((node) => node !== moving.node && this.#isUp(node) && !this.#locked(node, moving.lane));
    return usable[this.#turn++ % usable.length];
  }

  /** By the mode of a retry rule; undefined: the same node again. */
  forRetry(mode: RetryRuleConfig['mode'], moving: Moving): string | undefined {
    if (mode === 'same_node') return undefined;
    const ofSender = this.ofSender(moving);
    if (mode === 'sender_nodes' || ofSender !== undefined) return ofSender;
    return this.#next(
      this.#context.settings.config.nodes.map(({ name }) => name),
      moving.node,
      moving.lane,
    );
  }

  #next(nodes: readonly string[], node: string, lane: string | undefined): string | undefined {
    const at = nodes.indexOf(node);
    const others = [...nodes.slice(at + 1), ...nodes.slice(0, Math.max(at, 0))];
    return others.find((other) => other !== node && this.#isUp(other) && !this.#locked(other, lane));
  }

  #locked(node: string, lane: string | undefined): boolean {
    return lane !== undefined && this.#context.locks.of(node, lane).length > 0;
  }
}
