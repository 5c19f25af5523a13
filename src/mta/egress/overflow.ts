/** What a warm-up has no room for goes to other nodes of its sender. */
import type { LeasedDelivery } from '../../queue/index.ts';
import type { EgressContext } from './context.ts';
import type { Lane } from './lane.ts';

export interface OverflowOptions {
  readonly context: EgressContext;
  /** Another node that has room. */
  readonly otherNode: (delivery: LeasedDelivery, laneKey: string) => string | undefined;
}

/** What stays of `taken`; the rest is on its way to other nodes. */
export function withoutOverflow(
  { context, otherNode }: OverflowOptions,
  lane: Lane,
  taken: readonly LeasedDelivery[],
): readonly LeasedDelivery[] {
  if (!lane.overflows) return taken;
  const wakeAt = context.clock.now();
  const stay = taken.filter((delivery) => {
    const node = otherNode(delivery, lane.key);
    if (node !== undefined) void context.recorder.record(delivery, { kind: 'released', wakeAt, node });
    return node === undefined;
  });
  if (stay.length > 0) lane.noOverflow();
  return stay;
}
