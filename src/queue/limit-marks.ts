/**
 * States of limiters, by their keys: stored with the leases that they are about. Which of them say nothing any more is
 * known to the sending side; they are found by walking the table a slice at a time.
 */
import type { EventDraft, Work } from './committer.ts';
import { keyAfter, parseTextKey, textKey } from './keys.ts';
import { checkOps, type Kv, type Op } from './kv.ts';
import { encode, healthy } from './records.ts';
import type { QueueState } from './state.ts';

const TABLE = 'limits';
/** Limiter states of one commit. */
const STORED_AT_ONCE = 2_000;

/** State of a limiter, by its key. */
export interface LimitMark {
  readonly key: string;
  readonly value: object;
}

/** Throws when the store cannot take the key: a work fails by itself then, and not the commit that it would be in. */
export function limitOp({ key, value }: LimitMark): Op {
  const op = { table: TABLE, key: textKey(key), value: encode(value) } as const;
  checkOps([op]);
  return op;
}

/** What was stored; undefined for what is damaged, too. */
export function readMark(kv: Kv, key: string): unknown {
  const value = kv.get(TABLE, textKey(key));
  return value && healthy(value);
}

/** An event, and the limiter state that goes with it. */
export const announcement = (event: EventDraft, mark: LimitMark | undefined): Work => ({
  build({ events, ops }) {
    events.push(event);
    if (mark) ops.push(limitOp(mark));
  },
});

export async function storeMarks(
  { committer }: Pick<QueueState, 'committer'>,
  marks: readonly LimitMark[],
): Promise<void> {
  for (let from = 0; from < marks.length; from += STORED_AT_ONCE) {
    const slice = marks.slice(from, from + STORED_AT_ONCE).map(limitOp);
    await committer.submit({ build: ({ ops }) => void ops.push(...slice) });
  }
}

/** Forgets, among so many marks behind the last slice, those that are spent or damaged. */
export class MarksWalk {
  readonly #state: Pick<QueueState, 'kv' | 'committer'>;
  #from: Buffer | undefined;

  constructor(state: Pick<QueueState, 'kv' | 'committer'>) {
    this.#state = state;
  }

  /** Resolves to the number that went. */
  async forget(spent: (mark: LimitMark) => boolean, slice: number): Promise<number> {
    let removed = 0;
    await this.#state.committer.submit({
      build: ({ ops }) => {
        const range = { ...(this.#from && { start: this.#from }), limit: slice };
        const entries = [...this.#state.kv.range(TABLE, range)];
        const gone = entries.filter(({ key, value }) => isSpent(key, value, spent));
        // What a work of the same commit stores is newer than what was read.
        const fresh = new Set(gone.length === 0 ? [] : ops.flatMap(keyOfMark));
        for (const { key } of gone) {
          if (fresh.has(key.toString('latin1'))) continue;
          ops.push({ table: TABLE, key, value: undefined });
          removed++;
        }
        const last = entries.length < slice ? undefined : entries.at(-1);
        this.#from = last && keyAfter(last.key);
      },
    });
    return removed;
  }
}

const keyOfMark = ({ table, key }: Op): string[] => (table === TABLE ? [key.toString('latin1')] : []);

function isSpent(key: Buffer, value: Buffer, spent: (mark: LimitMark) => boolean): boolean {
  const mark = healthy<object>(value);
  return mark === undefined || spent({ key: parseTextKey(key).join('\0'), value: mark });
}
