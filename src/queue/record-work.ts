/**
 * One slice of a job on much of what waits: goes through the deliveries in the order of their acceptance, so what it
 * takes out, changes and adds to the history are neighbours in their tables. Queue by queue each of them would be on a
 * page of its own, and a page is what the store writes.
 *
 * The slots stay until the way through the queues, which follows (job-work.ts): a purge leaves them without a delivery
 * (`RunningJobs.leftSlot`), a move or change in the queue that the record names as `slotIn`.
 */
import type { Transaction, Work } from './committer.ts';
import { sharedMessage } from './accepting.ts';
import { endUnattempted } from './ending.ts';
import { EventRuns, movedEvent, removedEvent } from './event-runs.ts';
import type { Entry } from './kv.ts';
import { addProgress, changedRecord, conclude, type Progress, store } from './job-progress.ts';
import { deliveryKey, numberKey, parseDeliveryKey } from './keys.ts';
import { claimSlot, deliveryFrom, type SharedFacts, type StoredDelivery } from './leasing.ts';
import { queueKeyOf } from './queue-key.ts';
import { type Delivery, finalBytes, healthy, type SharedMessage, withFinal } from './records.ts';
import { fitsDelivery, fitsMessage, fitsNumber, fitsQueue } from './selector.ts';
import type { QueueState } from './state.ts';

/** Deliveries changed, and looked at, in one commit. */
const CHANGES = 8_000;
const LOOKS = 20_000;
/** Deliveries between two looks at the clock. */
const UNTIMED = 64;

export class RecordWork implements Work {
  readonly #state: QueueState;
  readonly #progress: Progress;
  readonly #from: Buffer;
  readonly #budgetMs: number;
  readonly #messages: SharedFacts = new Map();
  readonly #events: EventRuns;
  /** What the record of a delivery that fits has in it somewhere: looked for before it is read. */
  readonly #texts: readonly Buffer[];
  readonly #end: Buffer;
  /** Deliveries of shared messages that end, by message. */
  readonly #ended = new Map<number, number>();
  #looked = 0;
  #changes = 0;
  /** Of these, those that the job's record was told of. */
  #told = 0;
  #over = false;
  /** Where the next slice starts, once this one is stored; undefined when all were looked at. */
  next: Buffer | undefined;

  /** `from` is the key of the first delivery of the slice, or one before it. */
  constructor(state: QueueState, progress: Progress, from: Buffer, budgetMs: number) {
    this.#state = state;
    this.#progress = progress;
    this.#from = from;
    this.#budgetMs = budgetMs;
    const at = state.clock.now();
    const { node, sender } = progress.record.selector;
    this.#texts = Object.entries({ node, sender }).flatMap(([name, value]) =>
      value === undefined ? [] : [Buffer.from(`"${name}":${JSON.stringify(value)}`)],
    );
    this.#end = finalBytes({ type: 'undelivered', reason: 'removed', at });
    const made = progress.record.operation.op === 'purge' ? removedEvent : movedEvent;
    this.#events = new EventRuns(at, made);
  }

  build(transaction: Transaction): void {
    const end = this.#state.clock.mono() + this.#budgetMs;
    let from: Buffer | undefined = this.#from;
    while (from && !this.#over) from = this.#walk(transaction, from, end);
    this.next = from;
    for (const [number, count] of this.#ended) this.#share(transaction, number, count);
    if (this.#changes === 0) return;
    addProgress(this.#progress, this.#changes, transaction);
    this.#told = this.#changes;
  }

  applied(): void {
    conclude(this.#progress, this.#told, true);
  }

  failed(): void {
    conclude(this.#progress, this.#told, false);
  }

  /** Where to go on: after a message that does not fit, or when the slice is over. */
  #walk(transaction: Transaction, start: Buffer, end: number): Buffer | undefined {
    const { selector, watermark } = this.#progress.record;
    let message: number | undefined;
    for (const { key, value } of this.#state.kv.range('deliveries', { start, end: numberKey(watermark) })) {
      if (this.#isOver(end)) return key;
      this.#looked++;
      const { number, index } = parseDeliveryKey(key);
      if (!fitsNumber(selector, number)) return undefined;
      if (number !== message && !this.#mayFit(number)) return deliveryKey(number + 1, 0);
      message = number;
      this.#look(transaction, { number, index, value }, key);
    }
    return undefined;
  }

  #isOver(end: number): boolean {
    const timed = this.#looked > 0 && this.#looked % UNTIMED === 0;
    this.#over =
      this.#changes >= CHANGES || this.#looked >= LOOKS || (timed && this.#state.clock.mono() >= end);
    return this.#over;
  }

  /** False for a message of several recipients, none of which fits. */
  #mayFit(number: number): boolean {
    const { selector } = this.#progress.record;
    if (selector.account === undefined && selector.campaign === undefined) return true;
    const value = this.#state.kv.get('messages', numberKey(number));
    const shared = value && healthy<SharedMessage>(value);
    return !shared || fitsMessage(selector, shared.message);
  }

  #look(transaction: Transaction, from: StoredDelivery, key: Buffer): void {
    const { number, index } = from;
    if (!this.#texts.every((text) => from.value.includes(text))) return;
    const { leases, quarantine } = this.#state;
    if (leases.size > 0 && leases.of(number, index) !== undefined) return;
    if (quarantine.has(from)) return;
    const delivery = this.#read(from);
    const { selector, operation } = this.#progress.record;
    if (!delivery || !fitsDelivery(selector, number, delivery.record)) return;
    if (!fitsQueue(selector, queueKeyOf(delivery), this.#progress.ispOf)) return;
    if (operation.op === 'purge') this.#remove(transaction, delivery, { key, value: from.value });
    else this.#change(transaction, delivery);
  }

  /** What is damaged stays as it is. */
  #read(from: StoredDelivery): Delivery | undefined {
    try {
      return deliveryFrom(this.#state, from, this.#messages);
    } catch {
      return undefined;
    }
  }

  #remove(transaction: Transaction, delivery: Delivery, { key, value }: Entry): void {
    // Claimed: a lease or the sweep of this same commit has it.
    if (!claimSlot(transaction, delivery.number, delivery.index)) return;
    this.#changes++;
    const { number, shared } = delivery;
    // What was said of it before is told behind its end.
    if (!shared || this.#state.early.of(transaction, delivery)) {
      endUnattempted(this.#state, transaction, delivery, 'removed');
      return;
    }
    // The same for one of many: what it has is written as it is.
    this.#events.add(transaction, delivery);
    transaction.ops.push({ table: 'deliveries', key, value: undefined });
    transaction.ops.push({ table: 'history', key, value: withFinal(value, this.#end) });
    this.#ended.set(number, (this.#ended.get(number) ?? 0) + 1);
  }

  /** It was read already, so it is there and healthy. */
  #share(transaction: Transaction, number: number, ended: number): void {
    const before = sharedMessage(this.#state, transaction, number)!;
    transaction.shared.set(number, { ...before, remaining: before.remaining - ended });
  }

  #change(transaction: Transaction, delivery: Delivery): void {
    const record = changedRecord(this.#state.holds, delivery, this.#progress.record);
    if (!record || !claimSlot(transaction, delivery.number, delivery.index)) return;
    this.#changes++;
    const slotIn = this.#state.schedule.slotOf(delivery).queue.id;
    store(transaction, delivery, { ...record, slotIn });
    const { node, sender } = delivery.record;
    if (record.node !== node || record.sender !== sender) this.#events.add(transaction, delivery, record);
  }
}
