/**
 * Mail of a locked lane, or of a node that is down, goes to nodes of its sender that are up and not locked, when the
 * configuration says so. It is not an attempt; the journal has a `moved` event for each. What has nowhere to go stays
 * where it is.
 */
import type { EgressContext } from './context.ts';
import type { FlowQueue } from './flow-queue.ts';
import type { Lane } from './lane.ts';
import type { NodeChoice } from './node-choice.ts';

const SLICE = 200;

export class Mover {
  readonly #context: EgressContext;
  readonly #choice: NodeChoice;

  constructor(context: EgressContext, choice: NodeChoice) {
    this.#context = context;
    this.#choice = choice;
  }

  /** Moves what is due in the queue, when a lock of the lane says so; says whether there was a way. Never rejects. */
  move(queue: FlowQueue, { key, locks }: Lane): Promise<boolean> {
    const wanted = locks.some((lock) => lock.record.waiting === 'move');
    return wanted ? this.leave(queue, key) : Promise.resolve(false);
  }

  /** The same without a lock; `lane`: where the mail goes, if that is known. Never rejects. */
  async leave(queue: FlowQueue, lane: string | undefined): Promise<boolean> {
    const { sender, node } = queue.head;
    const next = (): string | undefined => this.#choice.spread({ sender, node, lane });
    if (queue.leasing || next() === undefined) return false;
    queue.leasing = true;
    try {
      return await this.#moveDue(queue, next);
    } catch (error) {
      const details = { node, domain: queue.head.domain, error };
      this.#context.report('error', 'mail that should leave its node could not be moved; it waits', details);
      return false;
    } finally {
      queue.leasing = false;
    }
  }

  async #moveDue({ head }: FlowQueue, next: () => string | undefined): Promise<boolean> {
    const { queue, recorder } = this.#context;
    for (;;) {
      const taken = await queue.lease({ queue: head, limit: SLICE });
      const nodes = taken.map(next);
      await Promise.all(
        taken.map((delivery, i) => {
          const [node, { wakeAt }] = [nodes[i], delivery.record];
          return recorder.record(delivery, { kind: 'released', wakeAt, ...(node !== undefined && { node }) });
        }),
      );
      if (nodes.includes(undefined)) return false;
      if (taken.length < SLICE) return true;
    }
  }
}
