/** Queues by node and domain, for tests that do not care whose mail it is. */
import type { LeasedDelivery, Queue, QueueHead } from '../../src/queue/index.ts';

/** Those that have a slot, in the order in which they go out. */
export const queuesOf = (queue: Queue, node: string, domain: string): QueueHead[] =>
  [...queue.state.schedule.heads()]
    .filter((head) => head.node === node && head.domain === domain)
    .sort((a, b) => a.rank - b.rank);

export const wakeAt = (queue: Queue, node: string, domain: string): number =>
  Math.min(...queuesOf(queue, node, domain).map((head) => head.wakeAt));

/** Leases what is due in those queues, at most `limit`. */
export async function leaseFrom(
  queue: Queue,
  { node, domain, limit }: { readonly node: string; readonly domain: string; readonly limit: number },
): Promise<readonly LeasedDelivery[]> {
  const taken: LeasedDelivery[] = [];
  for (const head of queuesOf(queue, node, domain)) {
    if (taken.length < limit)
      taken.push(...(await queue.lease({ queue: head, limit: limit - taken.length })));
  }
  return taken;
}
