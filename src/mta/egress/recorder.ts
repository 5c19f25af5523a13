/**
 * Brings outcomes into the queue. A commit that fails is tried again until it succeeds: what a peer said must not be
 * lost. The number of outcomes that are not recorded is bounded: beyond it, sessions wait for `room`.
 */
import type { LeasedDelivery, Outcome, Queue } from '../../queue/index.ts';
import type { Report } from './report.ts';

const MAX_UNRECORDED = 2_000;
const AGAIN_MS = 1_000;

export class Recorder {
  readonly #queue: Queue;
  readonly #report: Report;
  readonly #unrecorded = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];

  constructor(queue: Queue, report: Report) {
    this.#queue = queue;
    this.#report = report;
  }

  get unrecorded(): number {
    return this.#unrecorded.size;
  }

  /** Takes the outcome; `recorded` resolves when it is durable. */
  record(delivery: LeasedDelivery, outcome: Outcome): Promise<void> {
    const recorded = this.#try(delivery, outcome).finally(() => {
      this.#unrecorded.delete(recorded);
      if (this.#unrecorded.size < MAX_UNRECORDED) this.#waiting.shift()?.();
    });
    this.#unrecorded.add(recorded);
    return recorded;
  }

  /** Resolves at once unless too many outcomes wait for the store. */
  room(): Promise<void> | undefined {
    if (this.#unrecorded.size < MAX_UNRECORDED) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when everything taken so far is durable. */
  async drained(): Promise<void> {
    await Promise.all(this.#unrecorded);
  }

  async #try(delivery: LeasedDelivery, outcome: Outcome): Promise<void> {
    for (;;) {
      try {
        await this.#queue.record(delivery, outcome);
        return;
      } catch (error) {
        this.#report('error', 'an outcome could not be stored, trying again', {
          delivery_id: delivery.id,
          error,
        });
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }
}
