/** What has to be done from time to time: lifetimes, oldest mail, history and journal trimmed. One at a time. */
import type { Logger } from 'pino';
import type { Config } from '../config/index.ts';
import { systemClock } from '../core/index.ts';
import { closeLeft, journalFull, type LimitMark, type Pressure, type Queue, touch } from '../queue/index.ts';

const SWEEP_MS = 10_000;
/** A sweep reads all that is queued: it rests so many times as long as it took, so that it takes 5 % of the time at most. */
const SWEEP_REST = 19;
const TRIM_MS = 60_000;
const LOOK_MS = 1_000;
/** Counts of sending policies that are looked at in one go: 1.2 million in an hour. */
const POLICY_SLICE = 20_000;
/** Marks of limits that are looked at in one go, and how often a minute. */
const LIMITS_SLICE = 1_000;
const LIMITS_SLICES = 5;
/** What operators did is kept this long. */
const OPERATOR_LOG_MS = 90 * 86_400_000;

export interface ChoresOptions {
  readonly queue: Queue;
  readonly pressure: Pick<Pressure, 'journal' | 'failing'>;
  readonly diskIsSlow: () => boolean;
  /** Says which marks of limits are spent. */
  readonly spentLimits: () => (mark: LimitMark) => boolean;
  readonly onSweep: (oldest: ReadonlyMap<string, number>) => Promise<void>;
  readonly log: Logger;
  readonly config: () => Config;
}

export class Chores {
  readonly #options: ChoresOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #due = new Set<() => Promise<void>>();
  #busy = false;
  /** A commit for its own sake is under way. */
  #touching = false;
  /** When the next sweep may begin (monotonic ms). */
  #sweepFrom = -Infinity;

  constructor(options: ChoresOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timers.push(setInterval(() => void this.#look(), LOOK_MS));
    const [sweep, trim] = [() => this.#sweep(), () => this.#trim()];
    this.#timers.push(setInterval(() => void this.#run(sweep), SWEEP_MS));
    this.#timers.push(setInterval(() => void this.#run(trim), TRIM_MS));
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#due.clear();
  }

  async #look(): Promise<void> {
    const { queue, pressure, config, diskIsSlow } = this.#options;
    try {
      const { journal } = queue.state;
      journal.kept = config().journal;
      pressure.journal(journalFull(journal, systemClock.now()));
      if (pressure.failing || diskIsSlow()) await this.#touch();
      await queue.lookAtClock();
      await closeLeft(queue.state);
    } catch (error) {
      if (pressure.failing) return; // that is told already
      this.#options.log.error({ err: error }, 'the store refused what is done every second, trying again');
    }
  }

  /** Nobody else may write now, and only a commit tells that the disk is well again. */
  async #touch(): Promise<void> {
    if (this.#touching) return;
    this.#touching = true;
    try {
      await touch(this.#options.queue.state);
    } finally {
      this.#touching = false;
    }
  }

  /** What falls due while another is under way has its turn after it, once. */
  async #run(chore: () => Promise<void>): Promise<void> {
    this.#due.add(chore);
    if (this.#busy) return;
    this.#busy = true;
    for (const next of this.#due) {
      this.#due.delete(next);
      try {
        await next();
      } catch (error) {
        if (!this.#options.pressure.failing)
          this.#options.log.error({ err: error }, 'the store refused a chore, trying again');
      }
    }
    this.#busy = false;
  }

  async #sweep(): Promise<void> {
    const start = systemClock.mono();
    if (start < this.#sweepFrom) return;
    await this.#options.onSweep(await this.#options.queue.sweep());
    const end = systemClock.mono();
    this.#sweepFrom = end + SWEEP_REST * (end - start);
  }

  async #trim(): Promise<void> {
    const { historyRetentionMs, idempotencyWindowMs, journal } = this.#options.config();
    const now = systemClock.now();
    await this.#options.queue.trim({
      historyBefore: now - historyRetentionMs,
      journalBefore: now - journal.maxAgeMs,
      journalBytes: journal.maxBytes,
      journalWaits: journal.onFull === 'stop',
      answersBefore: now - idempotencyWindowMs,
    });
    await this.#options.queue.mergeRecipients();
    while ((await this.#options.queue.stopList.expire()) > 0);
    await this.#options.queue.policies.expire(POLICY_SLICE);
    const spent = this.#options.spentLimits();
    for (let i = 0; i < LIMITS_SLICES; i++) await this.#options.queue.forgetLimits(spent, LIMITS_SLICE);
    while ((await this.#options.queue.operatorLog.trim(now - OPERATOR_LOG_MS)) > 0);
  }
}
