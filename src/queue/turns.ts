/**
 * What the splits of virtual senders owe. It is read and changed while the transaction that accepts the mail is built,
 * so a turn is taken by what is accepted and by nothing else: a commit that fails has taken none.
 *
 * `splits`: key of the split -> what each of its items is owed.
 */
import { textKey } from './keys.ts';
import type { Kv } from './kv.ts';
import { encode, healthy } from './records.ts';
import type { Transaction } from './committer.ts';

/** One choice: which item, from what all of them are owed (undefined: nothing yet), and what they are owed then. */
export type Choose = (owed: readonly number[] | undefined) => {
  readonly index: number;
  readonly owed: readonly number[];
};

/** Splits by key. */
export interface Turns {
  /** The item whose turn it is; it has had its turn. */
  take(key: string, choose: Choose): number;
  /** The item whose turn it is; it is still its turn. */
  look(key: string, choose: Choose): number;
}

export const lookingOnly = (turns: Turns): Turns => ({
  take: (key, choose) => turns.look(key, choose),
  look: (key, choose) => turns.look(key, choose),
});

type Splits = Pick<Transaction, 'splits'>;

/** Those of one work: the transaction has them only once the work is built. */
export class WorkTurns implements Turns {
  readonly #kv: Kv;
  readonly #splits: Splits['splits'];
  readonly #taken = new Map<string, readonly number[]>();

  constructor(kv: Kv, { splits }: Splits) {
    this.#kv = kv;
    this.#splits = splits;
  }

  take(key: string, choose: Choose): number {
    const { index, owed } = choose(this.#owed(key));
    this.#taken.set(key, owed);
    return index;
  }

  look(key: string, choose: Choose): number {
    return choose(this.#owed(key)).index;
  }

  keep(): void {
    for (const [key, owed] of this.#taken) this.#splits.set(key, owed);
  }

  #owed(key: string): readonly number[] | undefined {
    return this.#taken.get(key) ?? this.#splits.get(key) ?? storedTurns(this.#kv, key);
  }
}

/** Of a value that is damaged nothing is known: its split begins anew. */
function storedTurns(kv: Kv, key: string): readonly number[] | undefined {
  const value = kv.get('splits', textKey(key));
  return value && healthy<{ credits: readonly number[] }>(value)?.credits;
}

/** What the works of a transaction have taken; written once. */
export function sealTurns({ splits, ops }: Pick<Transaction, 'splits' | 'ops'>): void {
  for (const [key, credits] of splits)
    ops.push({ table: 'splits', key: textKey(key), value: encode({ credits }) });
}
