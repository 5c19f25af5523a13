/**
 * What an audit cannot tell from the store: which deliveries are with a worker now, since a lease names one also after
 * it came back, until all that it names have. Each of these has to be queued and without a slot, or it would be sent
 * twice at once. Looked at within works, where the store and the memory are of one commit.
 */
import { deliveryIdOf } from '../core/index.ts';
import type { Violation } from './audit-report.ts';
import { readDelivery } from './leasing.ts';
import type { QueueState } from './state.ts';

const SLICE = 200;
/** More are not needed to know that something is wrong. */
const NAMED = 100;

export async function leasedAmiss(state: QueueState): Promise<readonly Violation[]> {
  const held = [...state.leases.held()];
  const found: Violation[] = [];
  for (let from = 0; from < held.length && found.length < NAMED; from += SLICE) {
    const slice = held.slice(from, from + SLICE);
    await state.committer.submit({
      build: () => {
        for (const { number, index } of slice) {
          const text = whyAmiss(state, number, index);
          if (text !== undefined) found.push({ text, delivery_id: deliveryIdOf(number, index) });
        }
      },
    });
  }
  return found.slice(0, NAMED);
}

function whyAmiss(state: QueueState, number: number, index: number): string | undefined {
  if (state.leases.of(number, index) === undefined) return undefined;
  const id = deliveryIdOf(number, index);
  try {
    const delivery = readDelivery(state, number, index);
    if (!delivery) return `delivery ${id} is with a worker and not queued`;
    const slot = state.kv.get('schedule', state.schedule.slotOf(delivery).key);
    return slot ? `delivery ${id} is with a worker and has a slot` : undefined;
  } catch {
    return undefined; // damaged: named by the walk
  }
}
