/**
 * Splits choices by weight: after any number of choices each item has had its share within one, and equal shares
 * alternate instead of coming in runs.
 *
 * Of the items that are far enough behind their share, the one that must come soonest to stay within one is next
 * (Tijdeman, The chairman assignment problem, 1980). Taking the one that is furthest behind, as smooth weighted
 * round-robin does, misses by more than one with seven items.
 */
interface Share {
  readonly index: number;
  readonly weight: number;
  /** Share less choices, times the sum of the weights. */
  owed: number;
}

export interface Choice {
  readonly index: number;
  /** What each item is owed after it, in the order of the items. */
  readonly owed: readonly number[];
}

const all = (): boolean => true;

/**
 * The next item among those that qualify; undefined when none does. Those left out neither gain nor lose. `before` is
 * what the choice before left; of another number of items it says nothing.
 */
export function nextOf(
  weights: readonly number[],
  before: readonly number[] = [],
  qualifies: (index: number) => boolean = all,
): Choice | undefined {
  const known = before.length === weights.length;
  const shares: Share[] = weights.map((weight, index) => ({
    index,
    weight,
    owed: known ? before[index]! : 0,
  }));
  const candidates = shares.filter(({ index, weight }) => weight > 0 && qualifies(index));
  let total = 0;
  for (const { weight } of candidates) total += weight;
  for (const candidate of candidates) candidate.owed += candidate.weight;
  const best = mostUrgent(candidates, total) ?? furthestBehind(candidates);
  if (!best) return undefined;
  best.owed -= total;
  return { index: best.index, owed: shares.map(({ owed }) => owed) };
}

/** The item that comes soonest to the latest point at which it may be chosen. */
function mostUrgent(candidates: readonly Share[], total: number): Share | undefined {
  if (candidates.length < 2) return undefined;
  const slack = total / (2 * candidates.length - 2);
  let best: Share | undefined;
  let bestTime = Infinity;
  for (const candidate of candidates) {
    const time = (total - slack - candidate.owed) / candidate.weight;
    // A billionth for what doubles lose.
    if (candidate.owed < slack - total * 1e-9 || time >= bestTime) continue;
    best = candidate;
    bestTime = time;
  }
  return best;
}

/** For a set of items that has just changed, when nobody is behind by enough. */
function furthestBehind(candidates: readonly Share[]): Share | undefined {
  let best: Share | undefined;
  for (const candidate of candidates) if (!best || candidate.owed > best.owed) best = candidate;
  return best;
}
