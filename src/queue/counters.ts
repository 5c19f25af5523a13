/**
 * Counts of what was accepted, how it ended and what is queued. They are a function of the journal alone (`apply`),
 * so one replay rule serves while running and after a restart: the store holds a snapshot and the sequence number it
 * was made at, and what the journal has after it is applied again at start. Snapshots are written in the transaction
 * of some commit, a few seconds apart, so the hot path writes no counters of its own.
 */
import type { EventRun } from './committer.ts';
import { deliveryIdOf, domainOf, type Event } from '../core/index.ts';
import type { Kv, Op } from './kv.ts';
import { RecentLabels } from './recent-labels.ts';
import { type Delivery, encode, healthy, OLDER_CAMPAIGNS, TEST_CAMPAIGN } from './records.ts';

/** A campaign of which nothing waits and nothing was told for so long has no row of its own any more. */
const KEPT_MS = 90 * 24 * 3_600_000;
const FOLD_EVERY_MS = 3_600_000;
/** In one snapshot, which is part of a commit that mail waits for. */
const FOLDED_AT_ONCE = 1_000;

/** How the mail of a campaign went, since the store exists. */
export interface Totals {
  accepted: number;
  delivered: number;
  hard_bounced: number;
  undelivered: number;
  /** Ended by an operator; not in `undelivered`. */
  removed: number;
  /** Attempts that will be repeated. */
  soft_bounces: number;
  complaints: number;
  unsubscribes: number;
}

export interface RowKey {
  readonly account: string;
  readonly campaign: string;
  readonly sender: string;
  readonly node: string;
  readonly domain: string;
}

/** What is queued for one combination of labels. `new` was never tried, `retry` was. */
export interface Row extends RowKey {
  new: number;
  retry: number;
  /** Of these, leased. */
  proc: number;
  /** The first id that came in since it was empty; not known of rows that were never empty in this run. */
  first?: string | undefined;
  /** Acceptance (wall ms) of its oldest delivery, as of the last sweep. */
  oldest?: number | undefined;
  /** When the last of its deliveries is to be tried (wall ms), as of the last sweep and the attempts since. */
  latest?: number | undefined;
}

type CountedEvent = Pick<
  Event,
  'type' | 'attempt' | 'reply' | 'reason' | 'node' | 'corrects' | 'delivery_id' | 'next_attempt'
> &
  Pick<Event, 'account_id' | 'campaign_id' | 'sender' | 'recipient' | 'next_node' | 'next_sender'>;

/** What may speak of a recipient and changes no count. */
const UNCOUNTED: ReadonlySet<Event['type']> = new Set(['report_rejected', 'quarantined', 'released']);

const zero = (): Totals => ({
  accepted: 0,
  delivered: 0,
  hard_bounced: 0,
  undelivered: 0,
  removed: 0,
  soft_bounces: 0,
  complaints: 0,
  unsubscribes: 0,
});

/** With what is queued. */
export type Sums = Totals & { queued: number };

const noSums = (): Sums => ({ ...zero(), queued: 0 });
const SUMMED = Object.keys(noSums()) as (keyof Sums)[];

export const rowName = ({ account, campaign, sender, node, domain }: RowKey): string =>
  `${account}\0${campaign}\0${sender}\0${node}\0${domain}`;

export function parseRowName(name: string): RowKey {
  const [account, campaign, sender, node, domain] = name.split('\0') as [
    string,
    string,
    string,
    string,
    string,
  ];
  return { account, campaign, sender, node, domain };
}

/** The labels of a delivery after the event. */
const next = (event: CountedEvent): CountedEvent =>
  event.next_sender === undefined ? event : { ...event, sender: event.next_sender };

/** One more in a row. Ids are in the order of acceptance; what moves in, or belongs to a long batch, may be older. */
function enter(
  row: Row,
  state: 'new' | 'retry',
  { delivery_id: id, next_attempt: wakes }: Pick<CountedEvent, 'delivery_id' | 'next_attempt'>,
): void {
  if (row.new + row.retry === 0) {
    row.first = id;
    row.oldest = row.latest = undefined;
  } else if (row.first !== undefined && id !== undefined && id < row.first) row.first = id;
  if (wakes !== undefined) row.latest = Math.max(row.latest ?? -Infinity, Date.parse(wakes));
  row[state]++;
}

export type RowLabels = Omit<RowKey, 'domain'>;

export const sameLabels = (a: RowLabels, b: RowLabels): boolean =>
  a.campaign === b.campaign && a.node === b.node && a.sender === b.sender && a.account === b.account;

export class Counters {
  readonly #totals = new Map<string, Totals>();
  /** The last snapshot (wall ms) with a change of a campaign. */
  readonly #changedAt = new Map<string, number>();
  #foldedAt = -Infinity;
  readonly #rows = new Map<string, Row>();
  readonly #dirtyTotals = new Set<string>();
  readonly #dirtyRows = new Set<string>();
  readonly #names = new RecentLabels<RowLabels, string>(sameLabels);
  /** Sums over all campaigns, kept beside them: a site may have more campaigns than can be added up at once. */
  #mail = noSums();
  /** The same of test sends and copies. */
  #tests = noSums();

  /** What the last snapshot has; false when some of it is damaged. */
  load(kv: Kv): boolean {
    let whole = true;
    for (const { key, value } of kv.range('totals', {})) {
      const stored = healthy<Partial<Totals> & { readonly changedAt?: number }>(value);
      whole &&= stored !== undefined;
      const { changedAt, ...totals } = stored ?? {};
      this.#totals.set(key.toString(), { ...zero(), ...totals });
      if (changedAt !== undefined) this.#changedAt.set(key.toString(), changedAt);
      else this.#dirtyTotals.add(key.toString());
    }
    for (const { key, value } of kv.range('rows', {})) {
      const counts = healthy<{ new: number; retry: number }>(value);
      whole &&= counts !== undefined;
      Object.assign(this.#row(key.toString()), counts);
      if (!counts) this.#dirtyRows.add(key.toString());
    }
    this.#addUp();
    return whole;
  }

  /** Before all events are applied again. */
  forget(): void {
    for (const totals of this.#totals.values()) Object.assign(totals, zero());
    this.#addUp();
  }

  /** Takes what is queued from elsewhere, and makes `accepted` of each campaign the sum of what became of it. */
  recount(queued: Iterable<{ readonly labels: readonly string[]; readonly tried: boolean }>): void {
    for (const [key, row] of this.#rows) {
      Object.assign(row, { new: 0, retry: 0 });
      this.#dirtyRows.add(key);
    }
    for (const { labels, tried } of queued) {
      const key = labels.join('\0');
      this.#row(key)[tried ? 'retry' : 'new']++;
      this.#dirtyRows.add(key);
      const campaign = labels.slice(0, 2).join('\0');
      if (!this.#totals.has(campaign)) this.#totals.set(campaign, zero());
    }
    for (const [key, totals] of this.#totals) {
      const { delivered, hard_bounced, undelivered, removed } = totals;
      totals.accepted = delivered + hard_bounced + undelivered + removed;
      this.#dirtyTotals.add(key);
    }
    for (const { account, campaign, new: fresh, retry } of this.#rows.values())
      if (fresh + retry > 0) this.#totals.get(`${account}\0${campaign}`)!.accepted += fresh + retry;
    this.#addUp();
  }

  apply(event: CountedEvent): void {
    if (event.recipient === undefined) return;
    if (UNCOUNTED.has(event.type)) return;
    const totals = this.#total(event);
    const sums = this.#sumsOf(event.campaign_id);
    const count = (name: keyof Totals, by = 1): void => {
      totals[name] += by;
      sums[name] += by;
    };
    if (event.type === 'complaint') count('complaints');
    if (event.type === 'unsubscribe') count('unsubscribes');
    if (event.corrects !== undefined) {
      // Once delivered, now failed: nothing that is queued.
      count('delivered', -1);
      count(event.type === 'hard_bounce' ? 'hard_bounced' : 'undelivered');
    }
    if (event.corrects !== undefined || event.type === 'complaint' || event.type === 'unsubscribe') return;
    const queued = event.type === 'accepted' ? undefined : this.#rowOf(event, event.node);
    // Whether it was tried before this event; an end without a reply was no attempt of its own.
    const attempted = event.type === 'delivered' || event.type === 'soft_bounce' || event.reply !== undefined;
    const tried = (event.attempt ?? 0) > (attempted ? 1 : 0);
    if (queued) queued[tried ? 'retry' : 'new']--;
    sums.queued += queued ? -1 : 1;
    switch (event.type) {
      case 'accepted':
        count('accepted');
        enter(this.#rowOf(event, event.node), 'new', event);
        break;
      case 'soft_bounce':
        count('soft_bounces');
        enter(this.#rowOf(next(event), event.next_node ?? event.node), 'retry', event);
        sums.queued++;
        break;
      case 'moved':
        enter(this.#rowOf(next(event), event.next_node), tried ? 'retry' : 'new', event);
        sums.queued++;
        break;
      case 'delivered':
        count('delivered');
        break;
      case 'hard_bounce':
        count('hard_bounced');
        break;
      case 'undelivered':
        count(event.reason === 'removed' ? 'removed' : 'undelivered');
        break;
      default:
    }
  }

  /** The same as `apply` for each event of a run. */
  applyRun({ draft, number, indexes, recipients }: EventRun): void {
    const [totals, sums] = [this.#total(draft), this.#sumsOf(draft.campaign_id)];
    const what = (draft.attempt ?? 0) > 0 ? 'retry' : 'new';
    const moved = draft.type === 'moved';
    for (const [i, recipient] of recipients.entries()) {
      const domain = domainOf(recipient);
      this.#rowIn(draft, domain, draft.node)[what]--;
      if (!moved) continue;
      const id = deliveryIdOf(number, indexes[i]!);
      enter(this.#rowIn(next(draft), domain, draft.next_node), what, { delivery_id: id });
    }
    if (moved) return;
    totals.removed += recipients.length;
    sums.removed += recipients.length;
    sums.queued -= recipients.length;
  }

  /** Counts leased deliveries (by +1 and -1); they are not part of the snapshot. */
  lease({ record, message }: Pick<Delivery, 'record' | 'message'>, by: 1 | -1): void {
    const { sender, node, recipient } = record;
    const { accountId, campaignId } = message;
    this.#rowOf({ account_id: accountId, campaign_id: campaignId, sender, recipient }, node).proc += by;
  }

  /** What a sweep saw of a row. */
  swept(name: string, { oldest, latest }: Required<Pick<Row, 'oldest' | 'latest'>>): void {
    const row = this.#rows.get(name);
    if (row) Object.assign(row, { oldest, latest });
  }

  /** Adds what changed since the last snapshot; now in wall ms. */
  snapshot(ops: Op[], now: number): void {
    this.#fold(now);
    for (const key of this.#dirtyTotals) {
      const totals = this.#totals.get(key);
      if (totals) this.#changedAt.set(key, now);
      const value = totals && encode({ ...totals, changedAt: now });
      ops.push({ table: 'totals', key: Buffer.from(key), value });
    }
    for (const key of this.#dirtyRows) {
      const row = this.#rows.get(key);
      const empty = row === undefined || (row.new === 0 && row.retry === 0);
      ops.push({
        table: 'rows',
        key: Buffer.from(key),
        value: empty ? undefined : encode({ new: row.new, retry: row.retry }),
      });
      if (row && empty && row.proc === 0) this.#rows.delete(key);
    }
  }

  /** The commit that carried the snapshot is durable. */
  snapshotted(): void {
    this.#dirtyTotals.clear();
    this.#dirtyRows.clear();
  }

  /** Queued rows, those that hold something. */
  *rows(): Generator<Readonly<Row>> {
    for (const row of this.#rows.values()) if (row.new + row.retry > 0) yield row;
  }

  *totals(): Generator<{ account: string; campaign: string } & Readonly<Totals>> {
    for (const [key, totals] of this.#totals) {
      const [account, campaign] = key.split('\0') as [string, string];
      yield { account, campaign, ...totals };
    }
  }

  totalsOf(account: string, campaign: string): Readonly<Totals> | undefined {
    return this.#totals.get(`${account}\0${campaign}`);
  }

  /** Sum over all campaigns, with what is queued. */
  sum(): Sums {
    const sum = { ...this.#mail };
    for (const name of SUMMED) sum[name] += this.#tests[name];
    return sum;
  }

  /** The same without test sends and copies, which no statistics count. */
  statistics(): Sums {
    return { ...this.#mail };
  }

  /** Counts of campaigns that are long over go to one row of their account, so that their number has an end. */
  #fold(now: number): void {
    if (Math.abs(now - this.#foldedAt) < FOLD_EVERY_MS) return;
    this.#foldedAt = now;
    const over = this.#over(now);
    for (const key of over.slice(0, FOLDED_AT_ONCE)) {
      const [account] = key.split('\0') as [string];
      const older = this.#total({ account_id: account, campaign_id: OLDER_CAMPAIGNS });
      const totals = this.#totals.get(key)!;
      for (const name of Object.keys(totals) as (keyof Totals)[]) older[name] += totals[name];
      this.#totals.delete(key);
      this.#changedAt.delete(key);
      this.#dirtyTotals.add(key);
    }
    if (over.length > FOLDED_AT_ONCE) this.#foldedAt = -Infinity;
  }

  #over(now: number): string[] {
    const inUse = new Set(Array.from(this.#rows.values(), (row) => `${row.account}\0${row.campaign}`));
    const over: string[] = [];
    for (const [key, changedAt] of this.#changedAt) {
      if (now - changedAt < KEPT_MS || this.#dirtyTotals.has(key) || inUse.has(key)) continue;
      const campaign = key.slice(key.indexOf('\0') + 1);
      if (campaign !== TEST_CAMPAIGN && campaign !== OLDER_CAMPAIGNS) over.push(key);
    }
    return over;
  }

  #sumsOf(campaign: string | undefined): Sums {
    return campaign === TEST_CAMPAIGN ? this.#tests : this.#mail;
  }

  #addUp(): void {
    [this.#mail, this.#tests] = [noSums(), noSums()];
    for (const [key, totals] of this.#totals) {
      const sums = this.#sumsOf(key.slice(key.indexOf('\0') + 1));
      for (const name of Object.keys(totals) as (keyof Totals)[]) sums[name] += totals[name];
    }
    for (const row of this.rows()) this.#sumsOf(row.campaign).queued += row.new + row.retry;
  }

  #total(event: Pick<CountedEvent, 'account_id' | 'campaign_id'>): Totals {
    const key = `${event.account_id ?? ''}\0${event.campaign_id ?? ''}`;
    this.#dirtyTotals.add(key);
    let totals = this.#totals.get(key);
    if (!totals) this.#totals.set(key, (totals = zero()));
    return totals;
  }

  #rowOf(event: Omit<CountedEvent, 'type'>, node?: string): Row {
    return this.#rowIn(event, domainOf(event.recipient ?? ''), node);
  }

  #rowIn(event: Omit<CountedEvent, 'type'>, domain: string, node = ''): Row {
    const { account_id: account = '', campaign_id: campaign = '', sender = '' } = event;
    const labels = { account, campaign, sender, node };
    const names = this.#names.of(labels);
    let key = names.get(domain);
    if (key === undefined) names.set(domain, (key = rowName({ ...labels, domain })));
    this.#dirtyRows.add(key);
    return this.#row(key);
  }

  #row(key: string): Row {
    let row = this.#rows.get(key);
    if (row) return row;
    row = { ...parseRowName(key), new: 0, retry: 0, proc: 0 };
    this.#rows.set(key, row);
    return row;
  }
}
