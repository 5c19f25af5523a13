/**
 * One slice of a job: goes through the slots of some queues, and does to the deliveries that fit what the job is about.
 * A slice ends by the time it took rather than by queues, since a million deliveries may be in thousands of queues.
 */
import type { Transaction, Work } from './committer.ts';
import { endUnattempted } from './ending.ts';
import { changed } from './job.ts';
import { addProgress, conclude, type Progress, requeue } from './job-progress.ts';
import { readDelivery, type SlotOfDelivery, takeSlot } from './leasing.ts';
import type { Delivery, DeliveryRecord } from './records.ts';
import type { QueueHead } from './queue-head.ts';
import { fitsDelivery, fitsNumber } from './selector.ts';
import type { QueueState } from './state.ts';

/** Deliveries changed, and slots looked at, in one commit. */
const CHANGES = 4_000;
const SLOTS = 20_000;
/** Slots between two looks at the clock. */
const LOOKS = 64;

/** Where a job is on its way. */
export interface Place {
  /** The queues that are left. */
  readonly queues: readonly QueueHead[];
  /** The last slot of the first of them that is through. */
  readonly after: Buffer | undefined;
}

export class JobWork implements Work {
  readonly #state: QueueState;
  readonly #progress: Progress;
  readonly #place: Place;
  readonly #budgetMs: number;
  readonly #slots: { queue: QueueHead; wakeAt: number }[] = [];
  readonly #messages = new Map<number, Delivery['message']>();
  /** Slots that were taken, by queue. */
  readonly #taken = new Map<QueueHead, number>();
  #looked = 0;
  #changes = 0;
  /** Of these, those that the job's record was told of. */
  #told = 0;
  /** Where the next slice starts, once this one is stored. */
  next: Place;

  constructor(state: QueueState, progress: Progress, place: Place, budgetMs: number) {
    this.#state = state;
    this.#progress = progress;
    this.#place = place;
    this.#budgetMs = budgetMs;
    this.next = place;
  }

  build(transaction: Transaction): void {
    const end = this.#state.clock.mono() + this.#budgetMs;
    let { after } = this.#place;
    let through = 0;
    for (const queue of this.#place.queues) {
      after = this.#walk(transaction, { queue, after }, end);
      if (after) break;
      through++;
    }
    this.next = { queues: this.#place.queues.slice(through), after };
    if (this.#changes === 0) return;
    addProgress(this.#progress, this.#changes, transaction);
    this.#told = this.#changes;
  }

  applied(): void {
    const { schedule, dispatcher } = this.#state;
    conclude(this.#progress, this.#told, true);
    for (const { queue, wakeAt } of this.#slots)
      if (schedule.added(queue, wakeAt)) dispatcher?.wake(queue, wakeAt);
    for (const [queue, count] of this.#taken) {
      const next = schedule.taken(queue, count);
      if (next !== Infinity) dispatcher?.wake(queue, next);
    }
  }

  failed(): void {
    conclude(this.#progress, this.#told, false);
    for (const { queue } of this.#slots) this.#state.schedule.unused(queue);
  }

  /** The last slot that was looked at when the slice is over; undefined when the queue is through. */
  #walk(
    transaction: Transaction,
    { queue, after }: { readonly queue: QueueHead; readonly after: Buffer | undefined },
    end: number,
  ): Buffer | undefined {
    const { selector, watermark } = this.#progress.record;
    for (const slot of this.#state.schedule.slots(queue, after)) {
      this.#looked++;
      if (slot.number < watermark && fitsNumber(selector, slot.number)) this.#look(transaction, queue, slot);
      if (this.#isOver(end)) return slot.key;
    }
    return undefined;
  }

  #isOver(end: number): boolean {
    if (this.#changes >= CHANGES || this.#looked >= SLOTS) return true;
    return this.#looked % LOOKS === 0 && this.#state.clock.mono() >= end;
  }

  #look(transaction: Transaction, from: QueueHead, slot: SlotOfDelivery): void {
    const { number, index } = slot;
    const delivery = this.#read(number, index);
    const { selector, operation } = this.#progress.record;
    if (delivery === 'ended') {
      if (operation.op === 'purge') this.#take(transaction, from, slot);
      return;
    }
    if (!delivery || !fitsDelivery(selector, number, delivery.record)) return;
    if (operation.op === 'purge') {
      if (!this.#take(transaction, from, slot)) return;
      this.#changes++;
      endUnattempted(this.#state, transaction, delivery, 'removed');
      return;
    }
    const record = this.#changedRecord(delivery);
    if (!record || !this.#take(transaction, from, slot)) return;
    this.#changes++;
    requeue(transaction, delivery, record, this.#state.clock.now());
    const queue = this.#state.schedule.of({ record, message: delivery.message });
    this.#slots.push({ queue, wakeAt: record.wakeAt });
    this.#state.schedule.addSlot(queue, { wakeAt: record.wakeAt, number, index }, transaction.ops);
  }

  /** Undefined when there is nothing to change. A hold or release of single deliveries sets their marks. */
  #changedRecord({ number, record, message }: Delivery): DeliveryRecord | undefined {
    const { operation } = this.#progress.record;
    const sets = operation.op === 'hold' || operation.op === 'release';
    const wanted = sets ? record : changed(this.#progress.record, { number, record });
    const next = wanted && this.#state.holds.placed(number, wanted, message);
    return next === record ? undefined : next;
  }

  #take(transaction: Transaction, from: QueueHead, slot: SlotOfDelivery): boolean {
    // Taken: a lease or the sweep of this same commit has it.
    if (!takeSlot(transaction, slot)) return false;
    this.#taken.set(from, (this.#taken.get(from) ?? 0) + 1);
    return true;
  }

  /** `ended`: a purge has left the slot (purge-work.ts). What is damaged stays as it is. */
  #read(number: number, index: number): Delivery | 'ended' | undefined {
    try {
      return readDelivery(this.#state, number, index, this.#messages) ?? 'ended';
    } catch {
      return undefined;
    }
  }
}
