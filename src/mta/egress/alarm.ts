/**
 * Wakes queues at their time: the wake heap and its timer. When the wall clock was set back all are woken, since what
 * they were to be woken at may be hours away now: who has nothing due is set again.
 */
import type { Clock } from '../../core/index.ts';
import type { QueueHead } from '../../queue/index.ts';
import { type Wake, WakeHeap } from './wake-heap.ts';

const LONGEST_TIMER_MS = 30_000;

export interface AlarmOptions {
  readonly clock: Clock;
  /** The queue's time has come. */
  readonly wake: (head: QueueHead) => void;
}

export class Alarm {
  readonly #options: AlarmOptions;
  readonly #wakes = new WakeHeap();
  /** The earliest time for which each queue stands in the heap (wall ms). */
  readonly #armed = new Map<QueueHead, number>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  /** The wall clock when it was looked at last. */
  #seen = -Infinity;
  #stopped = false;

  constructor(options: AlarmOptions) {
    this.#options = options;
  }

  /** Times for which queues are to be woken. */
  get size(): number {
    return this.#wakes.size;
  }

  /** Wakes the queue at `wakeAt` (wall ms), or before. */
  set(head: QueueHead, wakeAt: number): void {
    if ((this.#armed.get(head) ?? Infinity) <= wakeAt) return;
    this.#armed.set(head, wakeAt);
    this.#wakes.push({ at: wakeAt, queue: head });
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const now = this.#options.clock.now();
    const at = now < this.#seen ? -Infinity : this.#wakes.earliest;
    if (this.#stopped || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (now >= this.#seen) this.#seen = now;
    // The wall clock may step, so no timer is trusted for long.
    const ms = Math.min(Math.max(0, at - now), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => this.#wakeDue(), ms);
  }

  #wakeDue(): void {
    this.#timerAt = Infinity;
    const now = this.#options.clock.now();
    const until = now < this.#seen ? Infinity : now;
    this.#seen = now;
    const due: Wake[] = [];
    for (let wake = this.#wakes.pop(until); wake; wake = this.#wakes.pop(until)) due.push(wake);
    for (const { at, queue: head } of due) {
      if (this.#armed.get(head) === at) this.#armed.delete(head);
      this.#options.wake(head);
    }
    this.#arm();
  }
}
