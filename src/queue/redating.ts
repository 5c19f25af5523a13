/**
 * Brings what waits to a wall clock that was set back: notices the step, and asks for the job that does it (`redate`,
 * job.ts). The step is looked for with each commit and stored with it until the job is: events that already have the
 * new time would hide it from the next start.
 */
import { formatDuration } from '../core/index.ts';
import type { ClockWatch, SetBack } from './clock-watch.ts';
import { textKey } from './keys.ts';
import type { Op } from './kv.ts';
import type { OperationRequest } from './operations.ts';
import { encode, healthy } from './records.ts';
import type { QueueState } from './state.ts';

const KEY = textKey('set_back');

export class Redating {
  readonly #watch: ClockWatch;
  /** A step that there is no job for yet. */
  #step: SetBack | undefined;
  /** The store knows of a step. */
  #stored: boolean;
  #asking = false;

  constructor({ kv, watch }: Pick<QueueState, 'kv' | 'watch'>) {
    this.#watch = watch;
    const value = kv.get('meta', KEY);
    this.#step = value && healthy<SetBack>(value);
    this.#stored = value !== undefined;
  }

  /** With each commit. */
  seal(ops: Op[]): void {
    this.#step ??= this.#watch.setBack();
    if (this.#step || this.#stored)
      ops.push({ table: 'meta', key: KEY, value: this.#step && encode(this.#step) });
    this.#stored = this.#step !== undefined;
  }

  /** Every second. Resolves when each step has its job. */
  async look(
    { committer, report }: QueueState,
    submit: (job: OperationRequest) => Promise<unknown>,
  ): Promise<void> {
    this.#watch.lifetimeNow(); // a step is seen when it comes, whoever asks next
    if (this.#asking) return;
    this.#asking = true;
    try {
      while ((this.#step ??= this.#watch.setBack())) {
        const { by } = this.#step;
        const text = `redate: the clock was set back by ${formatDuration(Math.round(by / 1000) * 1000)}`;
        await submit({ operation: { op: 'redate', ...this.#step }, selector: {}, text });
        this.#step = undefined;
        await committer.submit({ build: () => undefined });
        report('warn', 'the clock was set back; what waits is brought to the new time', {
          by_ms: Math.round(by),
        });
      }
    } finally {
      this.#asking = false;
    }
  }
}
