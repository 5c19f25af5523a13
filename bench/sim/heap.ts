/** What comes next: a binary heap by time. */
export class Heap<T> {
  readonly #heap: { readonly at: number; readonly value: T }[] = [];

  get earliest(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  push(at: number, value: T): void {
    const heap = this.#heap;
    let i = heap.push({ at, value }) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.at <= at) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = { at, value };
  }

  /** The earliest, if its time has come. */
  pop(now: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (!first || first.at > now) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return first.value;
  }

  #sink(last: { readonly at: number; readonly value: T }): void {
    const heap = this.#heap;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= last.at) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}
