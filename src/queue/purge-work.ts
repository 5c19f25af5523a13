/**
 * One slice of a purge of much of what waits: goes through the deliveries in the order of their acceptance, so what it
 * takes out and what it adds to the history are neighbours in their tables. Queue by queue each of them would be on a
 * page of its own, and a page is what the store writes.
 *
 * The slots stay until the way through the queues, which follows (job-work.ts). Who meets one before that finds no
 * delivery behind it (`RunningJobs.leftSlot`).
 */
import type { Transaction, Work } from './committer.ts';
import { endUnattempted } from './ending.ts';
import { addProgress, conclude, type Progress } from './job-progress.ts';
import { deliveryKey, numberKey, parseDeliveryKey } from './keys.ts';
import { claimSlot, deliveryFrom, type SharedFacts, type StoredDelivery } from './leasing.ts';
import { queueKeyOf } from './queue-key.ts';
import { type Delivery, healthy, type SharedMessage } from './records.ts';
import { fitsDelivery, fitsMessage, fitsNumber, fitsQueue } from './selector.ts';
import type { QueueState } from './state.ts';

/** Deliveries ended, and looked at, in one commit. */
const ENDS = 8_000;
const LOOKS = 20_000;
/** Deliveries between two looks at the clock. */
const UNTIMED = 64;

export class PurgeWork implements Work {
  readonly #state: QueueState;
  readonly #progress: Progress;
  readonly #from: Buffer;
  readonly #budgetMs: number;
  readonly #messages: SharedFacts = new Map();
  #looked = 0;
  #ended = 0;
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
  }

  build(transaction: Transaction): void {
    const end = this.#state.clock.mono() + this.#budgetMs;
    let from: Buffer | undefined = this.#from;
    while (from && !this.#over) from = this.#walk(transaction, from, end);
    this.next = from;
    if (this.#ended === 0) return;
    addProgress(this.#progress, this.#ended, transaction);
    this.#told = this.#ended;
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
      this.#look(transaction, { number, index, value });
    }
    return undefined;
  }

  #isOver(end: number): boolean {
    const timed = this.#looked > 0 && this.#looked % UNTIMED === 0;
    this.#over = this.#ended >= ENDS || this.#looked >= LOOKS || (timed && this.#state.clock.mono() >= end);
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

  #look(transaction: Transaction, from: StoredDelivery): void {
    const { number, index } = from;
    const { leases, quarantine, holds } = this.#state;
    if (leases.size > 0 && leases.of(number, index) !== undefined) return;
    if (quarantine.has(from)) return;
    const delivery = this.#read(from);
    const { selector } = this.#progress.record;
    if (!delivery || !fitsDelivery(selector, number, delivery.record)) return;
    if (!fitsQueue(selector, queueKeyOf(delivery), holds.ispOf)) return;
    // Claimed: a lease or the sweep of this same commit has it.
    if (!claimSlot(transaction, number, index)) return;
    endUnattempted(this.#state, transaction, delivery, 'removed');
    this.#ended++;
  }

  /** What is damaged stays as it is. */
  #read(from: StoredDelivery): Delivery | undefined {
    try {
      return deliveryFrom(this.#state, from, this.#messages);
    } catch {
      return undefined;
    }
  }
}
