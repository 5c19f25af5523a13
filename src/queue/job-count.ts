/** Counts the deliveries that fit a selector, in slices, where the counts of the queues do not tell. */
import type { JobRecord } from './job.ts';
import { deliveryKey } from './keys.ts';
import { readDelivery } from './leasing.ts';
import type { QueueHead } from './queue-head.ts';
import { fitsDelivery, fitsNumber, fitsQueue, type IspOf } from './selector.ts';
import type { QueueState } from './state.ts';

/** Slots looked at in one slice, and records read. */
const SLOTS = 5_000;
const READS = 1_000;

export class JobCount {
  readonly #state: QueueState;
  readonly #ispOf: IspOf;
  readonly #queues: QueueHead[];
  #after: Buffer | undefined;
  record: JobRecord;

  /** `ispOf` says which ISP a domain belongs to as far as this is concerned. */
  constructor(state: QueueState, record: JobRecord, ispOf: IspOf) {
    this.#state = state;
    this.#ispOf = ispOf;
    this.record = { ...record, matched: record.state === 'counting' ? 0 : record.matched };
    this.#queues = record.state === 'counting' ? [...state.schedule.fitting(record.selector, ispOf)] : [];
    if (record.state === 'counting') this.#add(this.#leased());
  }

  /** Counts a slice; true when that was the last one. */
  step(): boolean {
    let [looked, read] = [0, 0];
    const { selector, watermark } = this.record;
    while (this.#queues.length > 0) {
      const after = this.#after;
      this.#after = undefined;
      for (const { key, number, index } of this.#state.schedule.slots(this.#queues[0]!, after)) {
        if (++looked > SLOTS || read > READS) return false;
        this.#after = key;
        if (number >= watermark || !fitsNumber(selector, number)) continue;
        if (!this.#state.jobs.none && !this.#state.kv.get('deliveries', deliveryKey(number, index))) continue;
        if (selector.recipient !== undefined && ++read && !this.#fits(number, index)) continue;
        this.#add(1);
      }
      this.#queues.shift();
      this.#after = undefined;
    }
    this.record = { ...this.record, state: 'done' };
    return true;
  }

  #add(count: number): void {
    this.record = { ...this.record, matched: this.record.matched + count };
  }

  /** Leased deliveries have no slot. */
  #leased(): number {
    let count = 0;
    for (const { number, index } of this.#state.leases.held()) if (this.#fits(number, index)) count++;
    return count;
  }

  #fits(number: number, index: number): boolean {
    const { selector } = this.record;
    try {
      const delivery = readDelivery(this.#state, number, index);
      if (!delivery || !fitsDelivery(selector, number, delivery.record)) return false;
      const queue = this.#state.schedule.of(delivery);
      return fitsQueue(selector, queue, this.#ispOf);
    } catch {
      return false;
    }
  }
}
