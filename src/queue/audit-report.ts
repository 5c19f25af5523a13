/** What an audit found, bounded: everything is counted, so many are named. */
import type { Totals } from './counters.ts';
import type { Table } from './kv.ts';

const MAX_NAMED = 10_000;

export interface Violation {
  readonly text: string;
  readonly delivery_id?: string | undefined;
}

export interface CampaignTotals extends Totals {
  readonly account: string;
  readonly campaign: string;
  readonly queued: number;
}

export interface AuditReport {
  readonly clean: boolean;
  /** The last event of the snapshot that was walked. */
  readonly last_seq: number;
  /** Entries walked, by table; `events` are those of the journal. */
  readonly checked: Readonly<Record<string, number>>;
  /** Over all campaigns. */
  readonly totals: Totals & { readonly queued: number };
  readonly campaigns: readonly CampaignTotals[];
  /** How many there are; the first ones are named. */
  readonly violation_count: number;
  readonly violations: readonly Violation[];
  /** Deliveries that a crash left open: queued ones that may have arrived, and those that were made after that. */
  readonly possible_duplicates: { readonly count: number; readonly delivery_ids: readonly string[] };
  /** Whether the counts of the running server were compared at an event that both have. */
  readonly live_counts_compared?: boolean | undefined;
}

/** Counts of a running queue, as they were after event `seq`. */
export interface Expected {
  readonly seq: number;
  readonly totals: Totals & { readonly queued: number };
  /** What it found itself: see leased-check.ts. */
  readonly violations?: readonly Violation[];
}

/** What the journal's part of the audit knows at the end. */
export interface Replayed {
  readonly lastSeq: number;
  readonly events: number;
  readonly liveCompared: boolean | undefined;
  readonly campaigns: readonly CampaignTotals[];
}

const NAMES = [
  'accepted',
  'delivered',
  'hard_bounced',
  'undelivered',
  'removed',
  'soft_bounces',
  'complaints',
  'unsubscribes',
  'queued',
] as const;

export class Findings {
  readonly #violations: Violation[] = [];
  #count = 0;
  readonly #duplicates = new Set<string>();
  #duplicateCount = 0;
  readonly #seen = new Map<Table, number>();

  say(text: string, id?: string): void {
    this.#count++;
    if (this.#violations.length < MAX_NAMED)
      this.#violations.push(id === undefined ? { text } : { text, delivery_id: id });
  }

  saw(table: Table): void {
    this.#seen.set(table, (this.#seen.get(table) ?? 0) + 1);
  }

  mayArriveTwice(id: string): void {
    if (this.#duplicates.has(id)) return;
    this.#duplicateCount++;
    if (this.#duplicates.size < MAX_NAMED) this.#duplicates.add(id);
  }

  report({ lastSeq, events, liveCompared, campaigns }: Replayed): AuditReport {
    const totals = Object.fromEntries(
      NAMES.map((name) => [name, campaigns.reduce((sum, one) => sum + one[name], 0)]),
    ) as unknown as AuditReport['totals'];
    return {
      clean: this.#count === 0,
      last_seq: lastSeq,
      checked: { ...Object.fromEntries(this.#seen), events },
      totals,
      campaigns,
      violation_count: this.#count,
      violations: this.#violations,
      possible_duplicates: { count: this.#duplicateCount, delivery_ids: [...this.#duplicates] },
      live_counts_compared: liveCompared,
    };
  }
}
