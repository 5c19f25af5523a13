/**
 * Mail of a node that is not configured any more moves to another node of its sender, so that no delivery waits for
 * something that nobody will do. Mail of a sender without any node stays, is reported, and ends with its lifetime.
 */
import type { LeasedDelivery, QueueHead } from '../../queue/index.ts';
import type { EgressContext } from './context.ts';

const SLICE = 200;
const AGAIN_MS = 60_000;

export interface Orphans {
  readonly queue: QueueHead;
  readonly isUp: (node: string) => boolean;
}

/** False when the store failed: to be tried again. */
export async function moveOrphans(context: EgressContext, { queue, isUp }: Orphans): Promise<boolean> {
  const { report, recorder } = context;
  try {
    for (;;) {
      const taken = await context.queue.lease({ queue, limit: SLICE });
      if (taken.length === 0) return true;
      const moves = taken.map((delivery) => ({ delivery, node: otherNode(context, delivery, isUp) }));
      const lost = moves.filter(({ node }) => node === undefined).length;
      if (lost > 0) {
        const text = `${lost} deliveries wait for node ${queue.node}, which is not configured; add it or a node to their sender`;
        report('error', text, { node: queue.node, domain: queue.domain });
      }
      const wakeAt = context.clock.now();
      await Promise.all(
        moves.map(({ delivery, node }) =>
          recorder.record(
            delivery,
            node === undefined
              ? { kind: 'released', wakeAt: wakeAt + AGAIN_MS }
              : { kind: 'released', wakeAt, node },
          ),
        ),
      );
    }
  } catch (error) {
    report('error', 'mail of a removed node could not be moved', {
      node: queue.node,
      domain: queue.domain,
      error,
    });
    return false;
  }
}

function otherNode(
  { settings }: EgressContext,
  { record }: LeasedDelivery,
  isUp: (node: string) => boolean,
): string | undefined {
  const nodes = settings.senders.get(record.sender)?.config.nodes.map(({ node }) => node) ?? [];
  return nodes.find(isUp) ?? nodes[0];
}
