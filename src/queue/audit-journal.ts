/**
 * The part of the audit that holds the journal and the counts against what the tables have. The counts are replayed
 * as a restart would do it: the stored snapshot, and the events after it.
 *
 * Memory: the deliveries of one pass. A long journal is read in several passes, each of which looks at a share of the
 * messages, so that the proof does not need room for all that was ever accepted.
 */
import {
  type DeliveryId,
  deliveryIdOf,
  domainOf,
  type Event,
  parseDeliveryId,
  TERMINAL,
} from '../core/index.ts';
import type { CampaignTotals, Expected, Findings, Replayed } from './audit-report.ts';
import { Counters } from './counters.ts';
import { readMark } from './journal.ts';
import { parseDeliveryKey, parseNumberKey } from './keys.ts';
import type { Entry, Kv } from './kv.ts';
import type { QuarantineRecord } from './quarantine.ts';
import { decode, type DeliveryRecord, type MessageRecord, unseal } from './records.ts';
import { readStoreMark, type Skip } from './store-mark.ts';

const EVENTS_PER_PASS = 3_000_000;

/** What may be told of a delivery that has ended, and changes none of its counts. */
const LATE: ReadonlySet<Event['type']> = new Set(['complaint', 'unsubscribe', 'report_rejected', 'alert']);

interface Queued {
  new: number;
  retry: number;
}

/** What the journal says of the deliveries of one pass. */
interface Pass {
  /** How they ended, and which were accepted and have not ended. */
  readonly ended: Map<string, Event['type']>;
  readonly pending: Set<string>;
  readonly has: (messageNumber: number) => boolean;
}

export class JournalAudit implements Replayed {
  readonly #kv: Kv;
  readonly #findings: Findings;
  readonly #expected: Expected | undefined;
  readonly #eventsPerPass: number;
  readonly #counters = new Counters();
  /** Numbers that were never given. */
  readonly #skipped: readonly Skip[];
  /** Queued deliveries as the tables have them, by the labels of a row. */
  readonly #rows = new Map<string, Queued>();
  /** Queued deliveries in the quarantine that cannot be read, by row; undefined for those of an unknown one. */
  readonly #unread = new Map<string | undefined, number>();
  /** Sequence number of the first event that is kept. */
  #first: number | undefined;
  #next: number | undefined;
  #counted = 0;
  /** Of the journal, and of the stored counts. */
  #damaged = false;
  #uncounted = false;
  events = 0;
  liveCompared: boolean | undefined;

  constructor(
    kv: Kv,
    findings: Findings,
    {
      expected,
      eventsPerPass = EVENTS_PER_PASS,
    }: { expected?: Expected | undefined; eventsPerPass?: number },
  ) {
    this.#kv = kv;
    this.#findings = findings;
    this.#expected = expected;
    this.#eventsPerPass = eventsPerPass;
    this.liveCompared = expected && false;
    this.#skipped = readStoreMark(kv)?.skipped ?? [];
  }

  get lastSeq(): number {
    return (this.#next ?? 1) - 1;
  }

  /** Walks the journal: numbers without gaps, one terminal event per delivery; replays the counts. */
  run(): void {
    this.#counted = this.#snapshot();
    this.#compareLive(this.#counted);
    const passes = Math.max(1, Math.ceil(this.#span() / this.#eventsPerPass));
    for (let at = 0; at < passes; at++) {
      const has = passes === 1 ? () => true : (number: number) => number % passes === at;
      const pass: Pass = { ended: new Map(), pending: new Set(), has };
      for (const event of this.#events(at === 0)) this.#follow(event, pass);
      this.#compareTables(pass);
    }
    this.#skip();
    const last = this.lastSeq;
    if (this.#counted > last)
      this.#say(`the counts include event ${this.#counted}, the journal ends before it`);
    if ((this.#first ?? 1) > this.#counted + 1)
      this.#say(`the counts end at ${this.#counted}, the journal begins at ${this.#first}`);
  }

  /** A queued delivery of the tables. */
  queued(record: DeliveryRecord, message: MessageRecord): void {
    const labels = [message.accountId ?? '', message.campaignId ?? '', record.sender, record.node];
    const key = [...labels, domainOf(record.recipient)].join('\0');
    const row = this.#rows.get(key) ?? { new: 0, retry: 0 };
    row[record.attempts.length > 0 ? 'retry' : 'new']++;
    this.#rows.set(key, row);
  }

  /** One in the quarantine that cannot be read: what is known of it at most is its row. */
  quarantined(row: QuarantineRecord['row']): void {
    const key = row && [row.account, row.campaign, row.sender, row.node, row.domain].join('\0');
    this.#unread.set(key, (this.#unread.get(key) ?? 0) + 1);
  }

  /** Call when all of the queued deliveries were told. */
  compare(): void {
    if (this.#damaged || this.#uncounted) return;
    this.#compareRows();
    this.#compareTotals();
  }

  get campaigns(): readonly CampaignTotals[] {
    const queued = new Map<string, number>();
    for (const row of this.#counters.rows()) {
      const key = `${row.account}\0${row.campaign}`;
      queued.set(key, (queued.get(key) ?? 0) + row.new + row.retry);
    }
    return [...this.#counters.totals()].map((totals) => ({
      ...totals,
      queued: queued.get(`${totals.account}\0${totals.campaign}`) ?? 0,
    }));
  }

  /** The journal has everything from the beginning. */
  get #complete(): boolean {
    return this.#first === 1 && !this.#damaged;
  }

  #say(text: string, id?: string): void {
    this.#findings.say(text, id);
  }

  /** About how many events there are. */
  #span(): number {
    const edge = (reverse: boolean): number => {
      for (const { key } of this.#kv.range('journal', { reverse, limit: 1 })) return parseNumberKey(key);
      return 0;
    };
    const [first, last] = [edge(false), edge(true)];
    const within = this.#skipped.filter(({ from, to }) => from > first && to < last);
    return within.reduce((span, { from, to }) => span - (to - from + 1), last - first);
  }

  /** Goes on behind numbers that were never given. */
  #skip(): void {
    const skip = this.#skipped.find(({ from }) => from === this.#next);
    if (skip) this.#next = skip.to + 1;
  }

  #snapshot(): number {
    const whole = this.#counters.load(this.#kv);
    const mark = readMark(this.#kv);
    if (whole && mark) return mark.seq;
    this.#uncounted = true;
    this.#say('the stored counts are damaged');
    return 0;
  }

  /** All events, in order; the first walk checks their numbers and replays the counts. */
  *#events(checked: boolean): Generator<Event> {
    for (const entry of this.#kv.range('journal', {})) {
      const seq = parseNumberKey(entry.key);
      if (checked) this.#checkGroup(seq);
      for (const event of this.#group(entry, checked)) {
        if (checked) this.#checkEvent(event);
        yield event;
      }
    }
  }

  #checkGroup(seq: number): void {
    if (seq !== this.#next) this.#skip();
    if (this.#next !== undefined && seq !== this.#next)
      this.#say(`the journal goes on at ${seq} after ${this.#next - 1}`);
    this.#first ??= seq;
    this.#next = seq;
  }

  #checkEvent(event: Event): void {
    if (event.seq !== this.#next) this.#say(`event ${event.seq} stands at ${this.#next} in the journal`);
    this.#next!++;
    this.events++;
    if (event.possible_duplicate && event.delivery_id !== undefined)
      this.#findings.mayArriveTwice(event.delivery_id);
    if (event.seq <= this.#counted) return;
    this.#counters.apply(event);
    this.#compareLive(event.seq);
  }

  #group({ key, value }: Entry, checked: boolean): readonly Event[] {
    try {
      return unseal(value)
        .toString()
        .split('\n')
        .map((line) => JSON.parse(line) as Event);
    } catch {
      this.#damaged = true;
      if (checked) this.#say(`the journal is damaged at ${parseNumberKey(key)}`);
      return [];
    }
  }

  #follow({ type, delivery_id: id, seq, corrects }: Event, { ended, pending, has }: Pass): void {
    if (id === undefined || LATE.has(type) || !has(parseDeliveryId(id)?.number ?? 0)) return;
    if (corrects !== undefined) {
      if (ended.get(id) !== 'delivered' && (this.#complete || ended.has(id)))
        this.#say(`event ${seq} corrects delivery ${id}, which was not delivered`, id);
      ended.set(id, type);
      return;
    }
    if (ended.has(id)) this.#say(`event ${seq} (${type}) comes after the end of delivery ${id}`, id);
    if (type === 'accepted') pending.add(id);
    if (!TERMINAL.has(type)) return;
    ended.set(id, type);
    pending.delete(id);
  }

  /** The tables hold what the journal says of the deliveries of a pass. */
  #compareTables(pass: Pass): void {
    for (const { id } of this.#deliveriesOf('deliveries', pass)) {
      const type = pass.ended.get(id);
      if (type !== undefined) this.#say(`delivery ${id} is queued, the journal says ${type}`, id);
      else if (this.#complete && !pass.pending.delete(id))
        this.#say(`delivery ${id} is queued and was never accepted`, id);
    }
    for (const { id, value } of this.#deliveriesOf('history', pass)) this.#compareEnd(id, value, pass);
    if (!this.#complete) return;
    for (const id of pass.pending)
      this.#say(`delivery ${id} was accepted, has not ended and is not queued`, id);
  }

  #compareEnd(id: DeliveryId, value: Buffer, { ended }: Pass): void {
    const type = ended.get(id);
    if (type === undefined && !this.#complete) return;
    const record = healthy(value);
    if (record && type !== record.final?.type)
      this.#say(`delivery ${id} ended ${record.final?.type}, the journal says ${type}`, id);
  }

  *#deliveriesOf(
    table: 'deliveries' | 'history',
    { has }: Pass,
  ): Generator<{ readonly id: DeliveryId; readonly value: Buffer }> {
    for (const { key, value } of this.#kv.range(table, {})) {
      const { number, index } = parseDeliveryKey(key);
      if (has(number)) yield { id: deliveryIdOf(number, index), value };
    }
  }

  #compareRows(): void {
    for (const { account, campaign, sender, node, domain, ...counted } of this.#counters.rows()) {
      const key = [account, campaign, sender, node, domain].join('\0');
      const found = this.#rows.get(key) ?? { new: 0, retry: 0 };
      this.#rows.delete(key);
      if (this.#explained(key, { new: counted.new - found.new, retry: counted.retry - found.retry }))
        continue;
      const says = `${counted.new} new and ${counted.retry} retry`;
      this.#say(`${named(key)}: counted ${says}, found ${found.new} and ${found.retry}`);
    }
    for (const [key, found] of this.#rows)
      this.#say(`${named(key)}: counted none, found ${found.new} new and ${found.retry} retry`);
  }

  /** No difference, or the deliveries that cannot be read are just as many. */
  #explained(key: string, missing: Queued): boolean {
    const difference = missing.new + missing.retry;
    const unread = this.#unread.get(key) ?? 0;
    const elsewhere = this.#unread.get(undefined) ?? 0;
    if (missing.new < 0 || missing.retry < 0 || difference < unread || difference > unread + elsewhere)
      return false;
    if (difference > unread) this.#unread.set(undefined, elsewhere - (difference - unread));
    return true;
  }

  /** accepted = delivered + failed + removed + queued, per campaign. */
  #compareTotals(): void {
    for (const { account, campaign, queued, ...totals } of this.campaigns) {
      const { accepted, delivered, hard_bounced, undelivered, removed } = totals;
      if (accepted !== delivered + hard_bounced + undelivered + removed + queued)
        this.#say(
          `campaign ${account}/${campaign}: ${JSON.stringify(totals)} and ${queued} queued do not add up`,
        );
    }
  }

  /** What the running server counts is what the store says, at the event where it looked. */
  #compareLive(seq: number): void {
    if (this.#expected?.seq !== seq) return;
    this.liveCompared = true;
    const [live, stored] = [this.#expected.totals, this.#counters.sum()];
    for (const name of Object.keys(stored) as (keyof typeof stored)[]) {
      if (live[name] !== stored[name])
        this.#say(`the server counts ${live[name]} ${name}, the store ${stored[name]} (event ${seq})`);
    }
  }
}

const named = (key: string): string => `row ${key.replaceAll('\0', '/')}`;

function healthy(value: Buffer): DeliveryRecord | undefined {
  try {
    return decode<DeliveryRecord>(value);
  } catch {
    return undefined;
  }
}
