/** How long the mail of each row has waited: what a sweep, which reads deliveries in the order of acceptance, sees first. */
import { type RowKey, type RowLabels, rowName, sameLabels } from './counters.ts';
import { RecentLabels } from './recent-labels.ts';

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
