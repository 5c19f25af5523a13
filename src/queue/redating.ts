/**
 * Brings what waits to a wall clock that was set back: notices the step, and asks for the job that does it (`redate`,
 * job.ts). The step is looked for with each commit and stored with it, since events that already have the new time would
 * hide it from the next start. The commit that stores the job forgets the step: no crash makes two jobs of one step.
 */
import { formatDuration } from '../core/index.ts';
import { BELIEVED_MS, type ClockWatch, type SetBack } from './clock-watch.ts';
import type { Work } from './committer.ts';
import { textKey } from './keys.ts';
import type { Op } from './kv.ts';
import type { OperationRequest } from './operations.ts';
import { encode, healthy } from './records.ts';
import type { QueueState } from './state.ts';

const KEY = textKey('set_back');

const secondsOf = (ms: number): string => formatDuration(Math.round(ms / 1000) * 1000);

export class Redating {
  readonly #watch: ClockWatch;
  /** Steps that there is no job for yet, the oldest first. */
  readonly #steps: SetBack[];
  /** The store may know of steps. */
  #stored: boolean;
  #asking = false;

  constructor({ kv, watch }: Pick<QueueState, 'kv' | 'watch'>) {
    this.#watch = watch;
    const value = kv.get('meta', KEY);
    // A store of an earlier version has one step by itself.
    this.#steps = [(value && healthy<SetBack | SetBack[]>(value)) ?? []].flat();
    this.#stored = value !== undefined;
    const newest = this.#steps.at(-1);
    if (newest) watch.knows(newest);
  }

  /** With each commit, after all works are built. */
  seal(ops: Op[]): void {
    this.#notice();
    const any = this.#steps.length > 0;
    if (any || this.#stored)
      ops.push({ table: 'meta', key: KEY, value: any ? encode(this.#steps) : undefined });
    this.#stored ||= any;
  }

  /** Every second. Resolves when each step has its job. */
  async look(
    { report }: QueueState,
    submit: (job: OperationRequest, together: Work) => Promise<unknown>,
  ): Promise<void> {
    this.#watch.lifetimeNow(); // a step is seen when it comes, whoever asks next
    const ahead = this.#watch.setForward();
    if (ahead !== undefined)
      report(
        'warn',
        `the clock was set forward by ${secondsOf(ahead)}: mail that is over by it ends in ${secondsOf(BELIEVED_MS)}, unless it is set back before`,
        { by_ms: Math.round(ahead) },
      );
    this.#notice();
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (let step = this.#steps[0]; step; step = this.#steps[0]) {
        const { by } = step;
        const text = `redate: the clock was set back by ${secondsOf(by)}`;
        await submit({ operation: { op: 'redate', ...step }, selector: {}, text }, this.#answers(step));
        report('warn', `the clock was set back by ${secondsOf(by)}; what waits is brought to the new time`, {
          by_ms: Math.round(by),
        });
      }
    } finally {
      this.#asking = false;
    }
  }

  #notice(): void {
    const step = this.#watch.setBack();
    if (step) this.#steps.push(step);
  }

  /** The oldest step is forgotten by the commit that stores its job. */
  #answers(step: SetBack): Work {
    return {
      build: () => void this.#steps.shift(),
      applied: () => (this.#stored = this.#steps.length > 0),
      failed: () => void (this.#steps[0] === step || this.#steps.unshift(step)),
    };
  }
}
