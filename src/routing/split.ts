/**
 * Splits choices by weight: after any number of choices each item has had its share within one, and equal shares
 * alternate instead of coming in runs.
 *
 * Of the items that are far enough behind their share, the one that must come soonest to stay within one is next
 * (Tijdeman, The chairman assignment problem, 1980). Taking the one that is furthest behind, as smooth weighted
 * round-robin does, misses by more than one with seven items.
 */
interface Share<T> {
  readonly item: T;
  readonly weight: number;
  /** Share less choices, times the sum of the weights. */
  credit: number;
}

export class SmoothSplit<T> {
  readonly #items: Share<T>[];

  /** `credits` are those of a split of as many items that this one goes on from. */
  constructor(
    items: readonly { readonly item: T; readonly weight: number }[],
    credits: readonly number[] = [],
  ) {
    const known = credits.length === items.length;
    this.#items = items.map(({ item, weight }, i) => ({ item, weight, credit: known ? credits[i]! : 0 }));
  }

  /** What each item is owed, in the order of the items. */
  get credits(): readonly number[] {
    return this.#items.map(({ credit }) => credit);
  }

  /** The next item among those that qualify; undefined when none does. Those left out neither gain nor lose. */
  next(qualifies: (item: T) => boolean): T | undefined {
    const candidates = this.#items.filter(({ item, weight }) => weight > 0 && qualifies(item));
    let total = 0;
    for (const { weight } of candidates) total += weight;
    for (const candidate of candidates) candidate.credit += candidate.weight;
    const best = mostUrgent(candidates, total) ?? furthestBehind(candidates);
    if (best) best.credit -= total;
    return best?.item;
  }
}

/** The item that comes soonest to the latest point at which it may be chosen. */
function mostUrgent<T>(candidates: readonly Share<T>[], total: number): Share<T> | undefined {
  if (candidates.length < 2) return undefined;
  const slack = total / (2 * candidates.length - 2);
  let best: Share<T> | undefined;
  let bestTime = Infinity;
  for (const candidate of candidates) {
    const time = (total - slack - candidate.credit) / candidate.weight;
    // A billionth for what doubles lose.
    if (candidate.credit < slack - total * 1e-9 || time >= bestTime) continue;
    best = candidate;
    bestTime = time;
  }
  return best;
}

/** For a set of items that has just changed, when nobody is behind by enough. */
function furthestBehind<T>(candidates: readonly Share<T>[]): Share<T> | undefined {
  let best: Share<T> | undefined;
  for (const candidate of candidates) if (!best || candidate.credit > best.credit) best = candidate;
  return best;
}
