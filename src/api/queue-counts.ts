/** Queued deliveries by state, as operators and metrics count them. */
import type { Clock } from '../core/index.ts';
import type { EgressView } from '../mta/egress/index.ts';
import { oldestQueued, type Queue, type Row } from '../queue/index.ts';

export interface QueueCounts {
  new: number;
  proc: number;
  retry: number;
  hold: number;
  total: number;
}
export type QueueTotals = QueueCounts & { readonly oldest_seconds: number | undefined };

export const noCounts = (): QueueCounts => ({ new: 0, proc: 0, retry: 0, hold: 0, total: 0 });

/** Adds a row. Its `new` and `retry` include the leased ones; `proc` is taken out of them, out of `new` first. */
export function addRow(counts: QueueCounts, row: Pick<Row, 'new' | 'retry' | 'proc'>): void {
  const fromNew = Math.min(row.proc, row.new);
  const fromRetry = Math.min(row.proc - fromNew, row.retry);
  counts.new += row.new - fromNew;
  counts.retry += row.retry - fromRetry;
  counts.proc += fromNew + fromRetry;
  counts.total += row.new + row.retry;
}

export const ispLabel = (egress: EgressView, domain: string): string => egress.ispOf(domain) ?? 'unresolved';

interface Sources {
  readonly queue: Queue;
  readonly clock: Clock;
}

export function queueTotals({ queue, clock }: Sources): QueueTotals {
  const counts = noCounts();
  for (const row of queue.state.counters.rows()) addRow(counts, row);
  const oldest = oldestQueued(queue.state);
  const oldestSeconds = oldest === undefined ? undefined : Math.max(0, (clock.now() - oldest) / 1000);
  return { ...counts, oldest_seconds: oldestSeconds };
}
