/** Which queue wakes next: a binary heap by wall time. Entries may be out of date; who takes one looks again. */
import type { QueueHead } from '../../queue/index.ts';

export interface Wake {
  readonly at: number;
  readonly queue: QueueHead;
}

export class WakeHeap {
  readonly #heap: Wake[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** Time of the earliest entry (wall ms); Infinity when there is none. */
  get earliest(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  push(wake: Wake): void {
    const heap = this.#heap;
    let at = heap.push(wake) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.at <= wake.at) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = wake;
  }

  /** The earliest entry, if it is due. */
  pop(now: number): Wake | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (!first || first.at > now) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(wake: Wake): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= wake.at) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = wake;
  }
}
