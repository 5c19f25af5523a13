/** What operators have told nodes to do, kept over restarts: draining takes no new mail, disabled sends nothing. */
import type { Clock } from '../../core/index.ts';
import type { Queue } from '../../queue/index.ts';

export type NodeMode = 'draining' | 'disabled';

export interface ModeOrder {
  readonly mode: NodeMode;
  /** Wall ms; undefined: stored before the time was. */
  readonly since?: number;
}

const KIND = 'mode';

export class NodeModes {
  readonly #queue: Queue;
  readonly #clock: Clock;
  readonly #orders = new Map<string, ModeOrder>();

  constructor(queue: Queue, clock: Clock) {
    this.#queue = queue;
    this.#clock = clock;
    for (const { key, value } of queue.controls())
      if (key[0] === KIND) this.#orders.set(key[1]!, value as ModeOrder);
  }

  of(node: string): ModeOrder | undefined {
    return this.#orders.get(node);
  }

  /** What is so already stays so since then. Resolves when it is durable. */
  set(node: string, mode: NodeMode | undefined): Promise<void> {
    const known = this.#orders.get(node);
    const order = mode && (known?.mode === mode ? known : { mode, since: this.#clock.now() });
    if (order) this.#orders.set(node, order);
    else this.#orders.delete(node);
    return this.#queue.control({ key: [KIND, node], value: order });
  }
}
