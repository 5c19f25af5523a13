/**
 * What a sweep, which reads deliveries in the order of acceptance, sees of each row: how long its mail has waited, and
 * until when the last of it will wait.
 */
import { parseDeliveryId, timeOfMessageNumber } from '../core/index.ts';
import { type Row, type RowKey, type RowLabels, rowName, sameLabels } from './counters.ts';
import { RecentLabels } from './recent-labels.ts';

interface Seen {
  /** Wall times (ms): acceptance of the oldest delivery, and the latest at which one is to be tried. */
  readonly oldest: number;
  latest: number;
}

export class SweptRows {
  /** By `rowName`. */
  readonly rows = new Map<string, Seen>();
  readonly #recent = new RecentLabels<RowLabels, Seen>(sameLabels);

  saw(row: RowKey, at: number, wakeAt: number): void {
    const recent = this.#recent.of(row);
    let seen = recent.get(row.domain);
    if (!seen) {
      const name = rowName(row);
      seen = this.rows.get(name);
      if (!seen) this.rows.set(name, (seen = { oldest: at, latest: wakeAt }));
      recent.set(row.domain, seen);
    }
    seen.latest = Math.max(seen.latest, wakeAt);
  }
}

/**
 * Acceptance (wall ms) of the oldest delivery of a row: as the last sweep found it, or since when the row is not empty
 * where that was later. Infinity when neither is known.
 */
export function oldestOf({ first: id, oldest = -Infinity }: Readonly<Row>): number {
  const first = id === undefined ? undefined : parseDeliveryId(id);
  const at = Math.max(oldest, first ? timeOfMessageNumber(first.number) : -Infinity);
  return at === -Infinity ? Infinity : at;
}
