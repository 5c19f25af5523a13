/** How long the mail of each row has waited: what a sweep, which reads deliveries in the order of acceptance, sees first. */
import { parseDeliveryId, timeOfMessageNumber } from '../core/index.ts';
import { type Row, type RowKey, type RowLabels, rowName, sameLabels } from './counters.ts';
import { RecentLabels } from './recent-labels.ts';
import type { QueueState } from './state.ts';

export class OldestRows {
  /** Acceptance (wall ms) of the oldest delivery, by row (`rowName`). */
  readonly rows = new Map<string, number>();
  readonly #seen = new RecentLabels<RowLabels, true>(sameLabels);

  saw(row: RowKey, at: number): void {
    const seen = this.#seen.of(row);
    if (seen.has(row.domain)) return;
    seen.set(row.domain, true);
    const name = rowName(row);
    if (!this.rows.has(name)) this.rows.set(name, at);
  }
}

/**
 * Acceptance (wall ms) of the oldest delivery of a row: as the last sweep found it, or since when the row is not empty
 * where that was later. Infinity when neither is known.
 */
export function oldestOf({ oldest }: Pick<QueueState, 'oldest'>, row: Readonly<Row>): number {
  const first = row.first === undefined ? undefined : parseDeliveryId(row.first);
  const since = first ? timeOfMessageNumber(first.number) : -Infinity;
  const at = Math.max(oldest.get(rowName(row)) ?? -Infinity, since);
  return at === -Infinity ? Infinity : at;
}
