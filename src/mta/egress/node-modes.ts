/** What operators have told nodes to do, kept over restarts: draining takes no new mail, disabled sends nothing. */
import type { Queue } from '../../queue/index.ts';

export type NodeMode = 'draining' | 'disabled';

const KIND = 'mode';

export class NodeModes {
  readonly #queue: Queue;
  readonly #modes = new Map<string, NodeMode>();

  constructor(queue: Queue) {
    this.#queue = queue;
    for (const { key, value } of queue.controls())
      if (key[0] === KIND) this.#modes.set(key[1]!, (value as { mode: NodeMode }).mode);
  }

  of(node: string): NodeMode | undefined {
    return this.#modes.get(node);
  }

  /** Resolves when it is durable. */
  set(node: string, mode: NodeMode | undefined): Promise<void> {
    if (mode) this.#modes.set(node, mode);
    else this.#modes.delete(node);
    return this.#queue.control({ key: [KIND, node], value: mode && { mode } });
  }
}
