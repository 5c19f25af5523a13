/** Queued deliveries by state, as operators and metrics count them. */
import type { Clock } from '../core/index.ts';
import type { EgressView } from '../mta/egress/index.ts';
import { oldestQueued, type Queue, type Row } from '../queue/index.ts';
import type { Slices } from './slices.ts';

export interface QueueCounts {
  new: number;
  proc: number;
  retry: number;
  hold: number;
  total: number;
}
export type QueueTotals = QueueCounts & {
  /** Of these, damaged and set aside. */
  readonly quarantined: number;
  readonly oldest_seconds: number | undefined;
};

export const noCounts = (): QueueCounts => ({ new: 0, proc: 0, retry: 0, hold: 0, total: 0 });

/**
 * Adds a row. Its `new` and `retry` include those that are leased or held; `proc` and `hold` are taken out of them, out
 * of `new` first.
 */
export function addRow(counts: QueueCounts, row: Pick<Row, 'new' | 'retry' | 'proc'>, held = 0): void {
  const fromNew = Math.min(row.proc, row.new);
  const fromRetry = Math.min(row.proc - fromNew, row.retry);
  const hold = Math.min(held, row.new + row.retry - fromNew - fromRetry);
  const newHeld = Math.min(hold, row.new - fromNew);
  counts.new += row.new - fromNew - newHeld;
  counts.retry += row.retry - fromRetry - (hold - newHeld);
  counts.hold += hold;
  counts.proc += fromNew + fromRetry;
  counts.total += row.new + row.retry;
}

/** How many of a row an operator holds. */
export const heldOf = ({ state: { schedule } }: Queue, row: Row): number =>
  schedule.heldOf(row, row.new + row.retry - row.proc);

/** In place of an ISP, until the mail hosts of the domain are looked up. */
export const UNRESOLVED = 'unresolved';

export const ispLabel = (egress: EgressView, domain: string): string => egress.ispOf(domain) ?? UNRESOLVED;

interface Sources {
  readonly queue: Queue;
  readonly clock: Clock;
}

export async function queueTotals(sources: Sources, slices: Slices): Promise<QueueTotals> {
  const counts = noCounts();
  const { queue } = sources;
  await slices.each(queue.state.counters.rows(), (row) => addRow(counts, row, heldOf(queue, row)));
  return totalsOf(sources, counts);
}

/** `counts`: those of all rows. */
export function totalsOf({ queue, clock }: Sources, counts: QueueCounts): QueueTotals {
  const oldest = oldestQueued(queue.state);
  const oldestSeconds = oldest === undefined ? undefined : Math.max(0, (clock.now() - oldest) / 1000);
  return { ...counts, quarantined: queue.quarantine.count, oldest_seconds: oldestSeconds };
}
