/** Operations of operators, submitted and worked off. */
import assert from 'node:assert/strict';
import { findDelivery, type JobRecord, type Operation, type Selector } from '../../../src/queue/index.ts';
import { auditStore } from '../../support/audit.ts';
import type { Rig } from './fixture.ts';

export const submit = (rig: Rig, operation: Operation, selector: Selector): Promise<JobRecord> =>
  rig.queue.operations.submit({ operation, selector, text: operation.op });

/** Works all jobs off; gives what is said of this one then. */
export async function run(rig: Rig, operation: Operation, selector: Selector): Promise<JobRecord> {
  const { id } = await submit(rig, operation, selector);
  while (await rig.queue.operations.step());
  return rig.queue.operations.get(id)!;
}

export const held = (rig: Rig): number => {
  let count = 0;
  for (const row of rig.queue.state.counters.rows())
    count += rig.queue.state.schedule.heldOf(row, row.new + row.retry - row.proc);
  return count;
};

export const stateOf = (rig: Rig, number: number, index = 1): string | undefined =>
  findDelivery(rig.queue.state, number, index)?.state;

export function sound(rig: Rig): void {
  assert.deepEqual(auditStore(rig.kv), []);
}
