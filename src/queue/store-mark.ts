/** The mark of a store: its format, its id, and what became of it as a copy. */
import { textKey } from './keys.ts';
import type { Kv } from './kv.ts';
import { encode, healthy } from './records.ts';

export const MARK_KEY = textKey('store');

export interface StoreMark {
  readonly format: number;
  /** Stands in the id of every event. */
  readonly storeId: string;
  /** It is a copy, and nobody has opened it yet: the store that it was made of may have told more events. */
  readonly copy?: true;
  /** Numbers that a start on a copy has left out. */
  readonly skipped?: readonly Skip[];
}

/** The first and the last event number that was left out. */
export interface Skip {
  readonly from: number;
  readonly to: number;
}

/** Marks a store as a copy, which the first start on it takes for what it is: see `restored`. */
export async function markCopy(kv: Kv): Promise<void> {
  const mark = readStoreMark(kv);
  if (mark) await written(kv, { ...mark, copy: true });
}

/** Undefined when it is damaged, or not there. */
export function readStoreMark(kv: Kv): StoreMark | undefined {
  const stored = kv.get('meta', MARK_KEY);
  return stored && healthy<StoreMark>(stored);
}

export async function written(kv: Kv, mark: StoreMark): Promise<StoreMark> {
  await kv.commit([{ table: 'meta', key: MARK_KEY, value: encode(mark) }]);
  return mark;
}
