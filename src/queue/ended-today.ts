/**
 * How many deliveries of each sender have ended since midnight, so that it can be said how far a sender is: what it
 * still has is in the rows. A day and not "since it was empty", which a sender with a few long retries never is.
 * Like the other counts it is a function of the journal: snapshots of it go with theirs, the rest is applied again.
 */
import { dayAt, type Event, TERMINAL } from '../core/index.ts';
import type { EventRun } from './committer.ts';
import { textKey } from './keys.ts';
import type { Kv, Op } from './kv.ts';
import { type DamageTold, encode, healthy } from './records.ts';

type Ended = Pick<Event, 'type' | 'corrects' | 'sender'> & { readonly time: number | string };

interface Stored {
  /** Midnight at the end of the day (wall ms). */
  readonly endsAt: number;
  readonly ended: number;
}

const PREFIX = 'ended';
const ALL = { start: textKey(PREFIX, ''), end: Buffer.from(`${PREFIX}\x01`) };
/** With the hour that is there twice. */
const LONGEST_DAY_MS = 25 * 3_600_000;

export class EndedToday {
  /** Of midnight; another one counts from the next one on. */
  timezone: string;
  #endsAt = -Infinity;
  readonly #counts = new Map<string, number>();
  readonly #changed = new Set<string>();

  constructor(timezone: string) {
    this.timezone = timezone;
  }

  /** What the last snapshot has; what is damaged, or of a day before, is left out. */
  load(kv: Kv, told: DamageTold): void {
    const stored = new Map<string, Stored>();
    for (const { key, value } of kv.range('meta', ALL)) {
      const sender = key.subarray(ALL.start.length).toString();
      const count = healthy<Stored>(value);
      if (!count) told(`what sender ${sender} has ended today`, 'it is counted from now on');
      stored.set(sender, count ?? { endsAt: -Infinity, ended: 0 });
    }
    for (const { endsAt } of stored.values()) this.#endsAt = Math.max(this.#endsAt, endsAt);
    for (const [sender, { endsAt, ended }] of stored)
      if (endsAt === this.#endsAt && endsAt > -Infinity) this.#counts.set(sender, ended);
      else this.#changed.add(sender);
  }

  /** Before all events are applied again. */
  forget(): void {
    for (const sender of this.#counts.keys()) this.#changed.add(sender);
    this.#counts.clear();
    this.#endsAt = -Infinity;
  }

  /** Looks at an event; one that ends a delivery counts. What a late report takes back had ended before. */
  apply({ type, corrects, sender = '', time }: Ended): void {
    if (corrects !== undefined || !TERMINAL.has(type)) return;
    this.#add(sender, typeof time === 'number' ? time : Date.parse(time), 1);
  }

  /** The same for each event of a run. */
  applyRun({ draft: { type, sender = '', time }, recipients }: EventRun): void {
    if (TERMINAL.has(type)) this.#add(sender, time, recipients.length);
  }

  of(sender: string, now: number): number {
    return this.#isToday(now) ? (this.#counts.get(sender) ?? 0) : 0;
  }

  /** Senders of which something has ended today. */
  senders(now: number): Iterable<string> {
    return this.#isToday(now) ? this.#counts.keys() : [];
  }

  /** Adds what changed since the last snapshot. */
  snapshot(ops: Op[]): void {
    for (const sender of this.#changed) {
      const ended = this.#counts.get(sender);
      const value =
        ended === undefined ? undefined : encode({ endsAt: this.#endsAt, ended } satisfies Stored);
      ops.push({ table: 'meta', key: textKey(PREFIX, sender), value });
    }
  }

  /** The commit that carried the snapshot is durable. */
  snapshotted(): void {
    this.#changed.clear();
  }

  #add(sender: string, time: number, by: number): void {
    if (!this.#isToday(time)) {
      this.forget();
      this.#endsAt = dayAt(time, this.timezone).endsAt;
    }
    this.#counts.set(sender, (this.#counts.get(sender) ?? 0) + by);
    this.#changed.add(sender);
  }

  /** Events come nearly in order; a clock that was set back by more than a day begins the day of its own. */
  #isToday(time: number): boolean {
    return time < this.#endsAt && time >= this.#endsAt - LONGEST_DAY_MS;
  }
}
