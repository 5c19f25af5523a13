/** The jobs that are not done: what leased deliveries are asked about when they come back. */
import { changed } from './job.ts';
import type { Progress } from './job-progress.ts';
import type { QueueHead } from './queue-head.ts';
import type { DeliveryRecord, LeasedDelivery } from './records.ts';
import { fitsDelivery, fitsQueue } from './selector.ts';

export interface Asked {
  /** The record as the jobs leave it; undefined when one removes the delivery. */
  readonly asked: DeliveryRecord | undefined;
  /** The jobs that changed something. */
  readonly by: readonly Progress[];
}

export class RunningJobs {
  readonly #running = new Set<Progress>();

  get none(): boolean {
    return this.#running.size === 0;
  }

  [Symbol.iterator](): IterableIterator<Progress> {
    return this.#running.values();
  }

  add(progress: Progress): void {
    this.#running.add(progress);
  }

  delete(progress: Progress): void {
    this.#running.delete(progress);
  }

  /**
   * What the jobs make of a delivery that was leased when they came by. A retry is for what waits. What was leased was
   * due, so it is by a clock that was set back meanwhile, too; when it was tried, its next time is one of that clock.
   */
  returned(delivery: LeasedDelivery): Asked {
    let asked = delivery.record;
    const by: Progress[] = [];
    for (const progress of this.#running) {
      const { operation, at, id } = progress.record;
      if (progress.over || operation.op === 'retry' || !fits(progress, delivery)) continue;
      if (operation.op === 'redate') {
        asked = { ...asked, wakeAt: Math.min(asked.wakeAt, at), redated: id };
        continue;
      }
      if (operation.op === 'purge') return { asked: undefined, by: [...by, progress] };
      const next = changed(progress.record, { number: delivery.number, record: asked });
      if (!next) continue;
      asked = next;
      by.push(progress);
    }
    return { asked, by };
  }

  /** Whether a purge may have ended a delivery of the queue and not taken its slot yet. */
  leftSlot(queue: QueueHead, number: number): boolean {
    for (const progress of this.#running)
      if (progress.record.operation.op === 'purge' && mayFit(progress, { number, queue })) return true;
    return false;
  }
}

const fits = (progress: Progress, delivery: LeasedDelivery): boolean =>
  mayFit(progress, delivery) && fitsDelivery(progress.record.selector, delivery.number, delivery.record);

const mayFit = (
  { record: { selector, watermark }, ispOf }: Progress,
  { number, queue }: Pick<LeasedDelivery, 'number' | 'queue'>,
): boolean => number < watermark && fitsQueue(selector, queue, ispOf);
