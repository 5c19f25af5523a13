/**
 * One slice of a job: goes through the slots of some queues, and does to the deliveries that fit what the job is about.
 * A slice ends by the time it took rather than by queues, since a million deliveries may be in thousands of queues.
 */
import type { Transaction, Work } from './committer.ts';
import { endUnattempted } from './ending.ts';
import type { Operation } from './job.ts';
import { addProgress, changedRecord, conclude, type Progress, requeue } from './job-progress.ts';
import { readDelivery, type SlotOfDelivery, takeSlot } from './leasing.ts';
import { deliveryKey, type Slot } from './keys.ts';
import type { Delivery } from './records.ts';
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
  readonly #slots: { queue: QueueHead; wakeAt: number; number: number }[] = [];
  readonly #messages = new Map<number, Delivery['message']>();
  /** Where the slots of a queue go whose deliveries all go to one. */
  readonly #targets = new Map<QueueHead, QueueHead>();
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
    for (const { queue, ...slot } of this.#slots)
      if (schedule.added(queue, slot)) dispatcher?.wake(queue, slot.wakeAt);
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

  #look(transaction: Transaction, from: QueueHead, slot: SlotOfDelivery & { wakeAt: number }): void {
    if (this.#followed(transaction, from, slot)) return;
    const { number, index } = slot;
    const delivery = this.#read(number, index);
    const { selector, operation } = this.#progress.record;
    if (delivery === 'ended') {
      if (operation.op === 'purge') this.#take(transaction, from, slot);
      return;
    }
    if (!delivery) return;
    if (delivery.record.slotIn === from.id && this.#state.schedule.of(delivery) !== from) {
      // Its record was changed already (record-work.ts).
      if (!this.#take(transaction, from, slot)) return;
      const to = this.#queue(transaction, delivery);
      if (isUniform(operation) && from.mark === 0 && to.mark === 0) this.#targets.set(from, to);
      return;
    }
    if (!fitsDelivery(selector, number, delivery.record)) return;
    if (operation.op === 'purge') {
      if (!this.#take(transaction, from, slot)) return;
      this.#changes++;
      endUnattempted(this.#state, transaction, delivery, 'removed');
      return;
    }
    const record = changedRecord(this.#state.holds, delivery, this.#progress.record);
    if (!record || !this.#take(transaction, from, slot)) return;
    this.#changes++;
    requeue(transaction, delivery, record, this.#state.clock.now());
    this.#queue(transaction, { ...delivery, record });
  }

  /**
   * Takes the slot to where the last one of its queue went, if its record was changed too: that is its last field then,
   * and need not be read for more. Most of a campaign goes this way.
   */
  #followed(transaction: Transaction, from: QueueHead, slot: SlotOfDelivery & { wakeAt: number }): boolean {
    const to = this.#state.holds.single ? undefined : this.#targets.get(from);
    const stored = to && this.#state.kv.get('deliveries', deliveryKey(slot.number, slot.index));
    if (!stored || !endsWith(stored, `,"slotIn":${from.id}}`)) return false;
    if (this.#take(transaction, from, slot)) this.#put(transaction, to, slot);
    return true;
  }

  /** Puts a delivery whose slot was taken into its queue. */
  #queue(transaction: Transaction, { number, index, record, ...delivery }: Delivery): QueueHead {
    const queue = this.#state.schedule.of({ record, ...delivery });
    this.#put(transaction, queue, { wakeAt: record.wakeAt, number, index });
    return queue;
  }

  #put(
    { ops }: Transaction,
    queue: QueueHead,
    { wakeAt, number, index }: Pick<Slot, 'wakeAt' | 'number' | 'index'>,
  ): void {
    this.#slots.push({ queue, wakeAt, number });
    this.#state.schedule.addSlot(queue, { wakeAt, number, index }, ops);
  }

  #take(transaction: Transaction, from: QueueHead, slot: SlotOfDelivery): boolean {
    // Taken: a lease or the sweep of this same commit has it.
    if (!takeSlot(transaction, slot)) return false;
    this.#taken.set(from, (this.#taken.get(from) ?? 0) + 1);
    return true;
  }

  /** `ended`: a purge has left the slot (record-work.ts). What is damaged stays as it is. */
  #read(number: number, index: number): Delivery | 'ended' | undefined {
    try {
      return readDelivery(this.#state, number, index, this.#messages) ?? 'ended';
    } catch {
      return undefined;
    }
  }
}

/** Whether all deliveries of a queue go to the same one by it. */
const isUniform = (operation: Operation): boolean =>
  'node' in operation || ('sender' in operation && new Set(operation.nodes).size === 1);

function endsWith(value: Buffer, text: string): boolean {
  const start = value.length - text.length;
  return start > 0 && value.toString('latin1', start) === text;
}
