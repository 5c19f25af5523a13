/** Wakes queues at their time: the wake heap and its timer. */
import type { Clock } from '../../core/index.ts';
import type { QueueHead } from '../../queue/index.ts';
import type { FlowQueue } from './flow-queue.ts';
import { WakeHeap } from './wake-heap.ts';

const LONGEST_TIMER_MS = 30_000;

export interface AlarmOptions {
  readonly clock: Clock;
  /** The queue, if it is in memory. */
  readonly known: (head: QueueHead) => FlowQueue | undefined;
  /** The queue's time has come. */
  readonly wake: (head: QueueHead) => void;
}

export class Alarm {
  readonly #options: AlarmOptions;
  readonly #wakes = new WakeHeap();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  #stopped = false;

  constructor(options: AlarmOptions) {
    this.#options = options;
  }

  /** Wakes the queue at `wakeAt` (wall ms), or before. `queue`: as it is in memory, if its node is known. */
  set(head: QueueHead, wakeAt: number, queue: FlowQueue | undefined): void {
    if (queue && queue.armedAt <= wakeAt) return;
    if (queue) queue.armedAt = wakeAt;
    this.#wakes.push({ at: wakeAt, queue: head });
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const at = this.#wakes.earliest;
    if (this.#stopped || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    // The wall clock may step, so no timer is trusted for long.
    const ms = Math.min(Math.max(0, at - this.#options.clock.now()), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => this.#wakeDue(), ms);
  }

  #wakeDue(): void {
    this.#timerAt = Infinity;
    const now = this.#options.clock.now();
    for (let wake = this.#wakes.pop(now); wake; wake = this.#wakes.pop(now)) {
      const queue = this.#options.known(wake.queue);
      if (queue?.armedAt === wake.at) queue.armedAt = Infinity;
      this.#options.wake(wake.queue);
    }
    this.#arm();
  }
}
