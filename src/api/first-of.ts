/** The first ones of many in some order, sorted in slices. */
import { SLICE, type Slices } from './slices.ts';

export interface FirstOptions<T> {
  readonly order: (a: T, b: T) => number;
  readonly count: number;
  readonly slices: Slices;
}

/** Of equal ones those that come first. */
export async function firstOf<T>(
  pieces: Iterable<T>,
  { order, count, slices }: FirstOptions<T>,
): Promise<readonly T[]> {
  let first: T[] = [];
  let fresh: T[] = [];
  // Two runs that are in order already are merged in one pass.
  const merge = (): void => {
    first = first.concat(fresh.sort(order)).sort(order).slice(0, count);
    fresh = [];
  };
  await slices.each(pieces, (piece) => {
    if (fresh.push(piece) >= SLICE) merge();
  });
  slices.run(merge);
  return first;
}
