/**
 * The part of the audit that holds the journal and the counts against what the tables have. The counts are replayed
 * as a restart would do it: the stored snapshot, and the events after it.
 */
import { deliveryIdOf, domainOf, type Event, TERMINAL } from '../../src/core/index.ts';
import { Counters } from '../../src/queue/counters.ts';
import { parseDeliveryKey, parseNumberKey, textKey } from '../../src/queue/keys.ts';
import type { Kv } from '../../src/queue/kv.ts';
import { decode, type DeliveryRecord, type MessageRecord, unseal } from '../../src/queue/records.ts';

interface Queued {
  new: number;
  retry: number;
}

export class JournalAudit {
  readonly #kv: Kv;
  readonly #say: (text: string) => void;
  readonly #counters = new Counters();
  /** Queued deliveries as the tables have them, by the labels of a row. */
  readonly #rows = new Map<string, Queued>();
  /** Terminal events, by delivery; and deliveries that were accepted and have not ended. */
  readonly #ended = new Map<string, Event['type']>();
  readonly #pending = new Set<string>();
  /** Sequence number of the first event that is kept. */
  #first: number | undefined;
  #damaged = false;

  constructor(kv: Kv, say: (text: string) => void) {
    this.#kv = kv;
    this.#say = say;
  }

  /** Walks the journal: numbers without gaps, one terminal event per delivery; replays the counts. */
  readEvents(): void {
    const counted = this.#snapshot();
    let next: number | undefined;
    for (const { key, value } of this.#kv.range('journal', {})) {
      const seq = parseNumberKey(key);
      if (next !== undefined && seq !== next) this.#say(`the journal goes on at ${seq} after ${next - 1}`);
      this.#first ??= seq;
      next = seq;
      for (const event of this.#group(seq, value)) {
        if (event.seq !== next) this.#say(`event ${event.seq} stands at ${next} in the journal`);
        next++;
        if (event.seq > counted) this.#counters.apply(event);
        this.#follow(event);
      }
    }
    if (counted >= (next ?? 1)) this.#say(`the counts include event ${counted}, the journal ends before it`);
    if ((this.#first ?? 1) > counted + 1)
      this.#say(`the counts end at ${counted}, the journal begins at ${this.#first}`);
  }

  /** A queued delivery of the tables. */
  queued(id: string, record: DeliveryRecord, message: MessageRecord): void {
    const labels = [message.accountId ?? '', message.campaignId ?? '', record.sender, record.node];
    const key = [...labels, domainOf(record.recipient)].join('\0');
    const row = this.#rows.get(key) ?? { new: 0, retry: 0 };
    row[record.attempts.length > 0 ? 'retry' : 'new']++;
    this.#rows.set(key, row);
    if (this.#ended.has(id)) this.#say(`delivery ${id} is queued, the journal says ${this.#ended.get(id)}`);
    if (this.#complete && !this.#pending.has(id))
      this.#say(`delivery ${id} is queued and was never accepted`);
  }

  /** A finished delivery of the tables. */
  finished(id: string, { final }: DeliveryRecord): void {
    const type = this.#ended.get(id);
    if (type !== undefined || this.#complete) {
      if (type !== final?.type) this.#say(`delivery ${id} ended ${final?.type}, the journal says ${type}`);
    }
  }

  /** Call when all of the tables were told. */
  compare(): void {
    if (this.#damaged) return;
    if (this.#complete) this.#compareDeliveries();
    this.#compareRows();
    this.#compareTotals();
  }

  /** The journal has everything from the beginning. */
  get #complete(): boolean {
    return this.#first === 1 && !this.#damaged;
  }

  #snapshot(): number {
    try {
      this.#counters.load(this.#kv);
      const value = this.#kv.get('meta', textKey('counted'));
      return value ? decode<{ seq: number }>(value).seq : 0;
    } catch {
      this.#damaged = true;
      this.#say('the stored counts are damaged');
      return 0;
    }
  }

  #group(seq: number, value: Buffer): readonly Event[] {
    try {
      return unseal(value)
        .toString()
        .split('\n')
        .map((line) => JSON.parse(line) as Event);
    } catch {
      this.#damaged = true;
      this.#say(`the journal is damaged at ${seq}`);
      return [];
    }
  }

  #follow({ type, delivery_id: id, seq }: Event): void {
    if (id === undefined) return;
    if (this.#ended.has(id)) this.#say(`event ${seq} (${type}) comes after the end of delivery ${id}`);
    if (type === 'accepted') this.#pending.add(id);
    if (!TERMINAL.has(type)) return;
    this.#ended.set(id, type);
    this.#pending.delete(id);
  }

  #compareDeliveries(): void {
    const queued = new Set<string>();
    for (const { key } of this.#kv.range('deliveries', {})) {
      const { number, index } = parseDeliveryKey(key);
      queued.add(deliveryIdOf(number, index));
    }
    for (const id of this.#pending)
      if (!queued.has(id)) this.#say(`delivery ${id} was accepted, has not ended and is not queued`);
  }

  #compareRows(): void {
    for (const { account, campaign, sender, node, domain, ...counted } of this.#counters.rows()) {
      const key = [account, campaign, sender, node, domain].join('\0');
      const found = this.#rows.get(key) ?? { new: 0, retry: 0 };
      this.#rows.delete(key);
      if (found.new === counted.new && found.retry === counted.retry) continue;
      const says = `${counted.new} new and ${counted.retry} retry`;
      this.#say(`${named(key)}: counted ${says}, found ${found.new} and ${found.retry}`);
    }
    for (const [key, found] of this.#rows)
      this.#say(`${named(key)}: counted none, found ${found.new} new and ${found.retry} retry`);
  }

  /** accepted = delivered + failed + removed + queued, per campaign. */
  #compareTotals(): void {
    const queued = new Map<string, number>();
    for (const row of this.#counters.rows()) {
      const key = `${row.account}\0${row.campaign}`;
      queued.set(key, (queued.get(key) ?? 0) + row.new + row.retry);
    }
    for (const { account, campaign, ...totals } of this.#counters.totals()) {
      const waiting = queued.get(`${account}\0${campaign}`) ?? 0;
      const { accepted, delivered, hard_bounced, undelivered, removed } = totals;
      if (accepted !== delivered + hard_bounced + undelivered + removed + waiting)
        this.#say(
          `campaign ${account}/${campaign}: ${JSON.stringify(totals)} and ${waiting} queued do not add up`,
        );
    }
  }
}

const named = (key: string): string => `row ${key.replaceAll('\0', '/')}`;
