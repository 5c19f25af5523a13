/**
 * How a trim goes through a table in the order of acceptance, a slice with each commit. It begins with the oldest entry
 * and ends at the first that is too young, for all behind it came later. What stays longer (an open batch, what a
 * clock that was years ahead has dated) is stepped over, and does not keep what is behind it.
 */
import { keyAfter } from './keys.ts';
import type { Entry, Kv, Table } from './kv.ts';

/** `young`: the walk ends. */
export type Age = 'due' | 'stays' | 'young';

/** The age of what was there at a time (wall ms). */
export function ageOf(time: number, { before, now }: { readonly before: number; readonly now: number }): Age {
  if (time < before) return 'due';
  return time > now ? 'stays' : 'young';
}

export class TrimWalk {
  readonly #kv: Kv;
  readonly #table: Table;
  readonly #slice: number;
  /** Where the next slice begins; undefined: at the oldest. */
  #from: Buffer | undefined;

  constructor(kv: Kv, table: Table, slice = 500) {
    this.#kv = kv;
    this.#table = table;
    this.#slice = slice;
  }

  /** What is due of the next slice. */
  next(judge: (entry: Entry) => Age): Entry[] {
    const due: Entry[] = [];
    const range = { ...(this.#from && { start: this.#from }), limit: this.#slice };
    this.#from = undefined;
    let looked = 0;
    for (const entry of this.#kv.range(this.#table, range)) {
      const age = judge(entry);
      if (age === 'young') break;
      if (age === 'due') due.push(entry);
      if (++looked === this.#slice) this.#from = keyAfter(entry.key);
    }
    return due;
  }
}
