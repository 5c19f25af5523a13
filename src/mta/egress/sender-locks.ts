/**
 * Locks of one sender towards a lane. Queues of a locked sender are not offered to their destination; what was leased
 * before, or comes with the one that goes first, goes back.
 */
import type { LeasedDelivery } from '../../queue/index.ts';
import type { EgressContext } from './context.ts';
import type { FlowQueue } from './flow-queue.ts';
import type { Lane } from './lane.ts';

/** What may go of `taken`; the rest is given back. One delivery of a sender goes first when the time of its lock is over. */
export function withoutLocked(
  { locks, clock, recorder }: EgressContext,
  lane: string,
  taken: readonly LeasedDelivery[],
): readonly LeasedDelivery[] {
  if (!locks.anySender) return taken;
  const now = clock.now();
  return taken.filter((delivery) => {
    const lock = locks.ofSender(delivery.record.sender, lane);
    if (!lock) return true;
    if (!lock.locked(now) && lock.probe === undefined) {
      lock.probe = delivery.id;
      return true;
    }
    void recorder.record(delivery, { kind: 'released', wakeAt: delivery.record.wakeAt });
    return false;
  });
}

/** Whether the queue's sender is locked there, or tries with a delivery that is on its way. */
export function senderLocked({ locks, clock }: EgressContext, { head }: FlowQueue, lane: Lane): boolean {
  const lock = locks.anySender ? locks.ofSender(head.sender, lane.key) : undefined;
  return lock !== undefined && (lock.probe !== undefined || lock.locked(clock.now()));
}
