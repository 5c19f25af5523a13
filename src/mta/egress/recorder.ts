/**
 * Brings outcomes into the queue. A commit that fails is tried again until it succeeds: what a peer said must not be
 * lost. Only an end gives up, at its deadline or in a hurry: then the lease stays, and the next start sends what it names again,
 * marked as a possible duplicate. The number of outcomes that are not recorded is bounded: beyond it, sessions wait for `room`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LeasedDelivery, Outcome, Queue } from '../../queue/index.ts';
import { type Report, Seldom } from './report.ts';

const MAX_UNRECORDED = 2_000;
const AGAIN_MS = 1_000;

export class Recorder {
  readonly #queue: Queue;
  readonly #report: Report;
  readonly #refused: Seldom;
  readonly #unrecorded = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  readonly #hurry = new AbortController();
  #late: NodeJS.Timeout | undefined;
  #lost = 0;

  constructor(queue: Queue, report: Report) {
    this.#queue = queue;
    this.#report = report;
    this.#refused = new Seldom(report, 'an outcome could not be stored, trying again');
  }

  get unrecorded(): number {
    return this.#unrecorded.size;
  }

  /** Takes the outcome; `recorded` resolves when it is durable. */
  record(delivery: LeasedDelivery, outcome: Outcome): Promise<void> {
    const recorded = this.#try(delivery, outcome).finally(() => {
      this.#unrecorded.delete(recorded);
      // As many as there is room for: who is woken may have nothing to record.
      for (const wake of this.#waiting.splice(0, MAX_UNRECORDED - this.#unrecorded.size)) wake();
    });
    this.#unrecorded.add(recorded);
    return recorded;
  }

  /** Resolves at once unless too many outcomes wait for the store. */
  room(): Promise<void> | undefined {
    if (this.#unrecorded.size < MAX_UNRECORDED) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when everything taken so far is durable, or given up. */
  async drained(): Promise<void> {
    await Promise.all(this.#unrecorded);
    clearTimeout(this.#late);
    if (this.#lost === 0) return;
    const text =
      'outcomes could not be stored; the next start sends these deliveries again, as possible duplicates';
    this.#report('error', text, { outcomes: this.#lost });
    this.#lost = 0;
  }

  /** From now on what the store refuses is not tried again. */
  hurry(): void {
    clearTimeout(this.#late);
    this.#hurry.abort();
  }

  /** The same in a while, unless all is durable before: an end must not wait for a disk that is full. */
  hurryIn(ms: number): void {
    clearTimeout(this.#late);
    this.#late = setTimeout(() => this.hurry(), ms);
  }

  async #try(delivery: LeasedDelivery, outcome: Outcome): Promise<void> {
    for (;;) {
      try {
        await this.#queue.record(delivery, outcome);
        return;
      } catch (error) {
        this.#refused.error({ delivery_id: delivery.id, error });
        await waited(AGAIN_MS, this.#hurry.signal);
        if (this.#hurry.signal.aborted) {
          this.#lost++;
          return;
        }
      }
    }
  }
}

/** Ends early when the signal comes; does not throw. */
const waited = (ms: number, signal: AbortSignal): Promise<void> =>
  delay(ms, undefined, { signal }).catch(() => undefined);
