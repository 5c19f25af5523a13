/** How much of a site is read in one turn of the event loop, and in all. */
import type { TestContext } from 'node:test';
import type { ApiDependencies } from '../../src/api/index.ts';

/** Counts what is read of a site between two turns of the event loop. */
export class Meter {
  all = 0;
  most = 0;
  turns = 0;
  #now = 0;
  #watching = true;

  constructor({ queue, egress }: ApiDependencies, t: TestContext) {
    const { counters } = queue.state;
    const [rows, totals] = [[...counters.rows()], [...counters.totals()]];
    const lanes = egress.lanes.bind(egress);
    t.mock.method(counters, 'rows', () => this.#counted(rows));
    t.mock.method(counters, 'totals', () => this.#counted(totals));
    t.mock.method(egress, 'lanes', (of: { readonly node: string }) => this.#counted(lanes(of)));
    setImmediate(() => this.#turn());
  }

  stop(): void {
    this.#watching = false;
  }

  *#counted<T>(pieces: Iterable<T>): Generator<T> {
    for (const piece of pieces) {
      this.all++;
      this.most = Math.max(this.most, ++this.#now);
      yield piece;
    }
  }

  #turn(): void {
    this.turns++;
    this.#now = 0;
    if (this.#watching) setImmediate(() => this.#turn());
  }
}
