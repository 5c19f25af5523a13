/**
 * Patterns that can never decide: duplicates, those that another one hides, and those that match no reply. Found by
 * samples that are made from each expression (syntax.ts), so a finding is certain for the samples and silence is no
 * proof; expressions without samples are not judged.
 */
import { Classifier } from './classifier.ts';
import { type BouncePattern, type CompiledPattern, isGeneral, ispsOf, lineOf } from './pattern.ts';

export interface PatternProblem {
  /** Position in the list that was given. */
  readonly index: number;
  readonly kind: 'duplicate' | 'shadowed' | 'dead';
  /** A sentence for people. */
  readonly text: string;
}

/** Judges patterns of one list among themselves. The expressions must compile. */
export function checkPatterns(patterns: readonly BouncePattern[]): PatternProblem[] {
  const classifier = new Classifier({ own: patterns, shipped: [] });
  return patterns.flatMap((pattern, index) => problemOf(pattern, index, patterns, classifier) ?? []);
}

function problemOf(
  pattern: BouncePattern,
  index: number,
  patterns: readonly BouncePattern[],
  classifier: Classifier,
): PatternProblem | undefined {
  const twin = patterns.slice(0, index).find((one) => isTwin(one, pattern));
  if (twin)
    return { index, kind: 'duplicate', text: `"${twin.name}" has the same pattern: remove one of them` };
  const own = classifier.patterns.find((one) => one.pattern === pattern)!;
  const samples = own.syntax.samples.map(asLine);
  if (samples.length === 0) return undefined;
  const matching = samples.filter((sample) => own.matches(sample));
  if (matching.length === 0) {
    // Without words of its own a sample may miss a boundary; only what blanks or length prevent is certain.
    if (!own.syntax.samples.some((sample) => own.matches(sample))) return undefined;
    return { index, kind: 'dead', text: DEAD };
  }
  const isps = isGeneral(pattern) ? [undefined] : ispsOf(pattern);
  const hiding = isps.flatMap((isp) => matching.map((sample) => classifier.explain(sample, isp)[0]!));
  if (hiding.some((one) => one === own)) return undefined;
  const names = [...new Set(hiding.map((one: CompiledPattern) => `"${one.pattern.name}"`))].join(', ');
  return {
    index,
    kind: 'shadowed',
    text: `${names} comes first and matches the same replies: move or remove it`,
  };
}

const DEAD =
  'no reply can match it: a reply is one line, its runs of blanks are one space, and it has at most 1000 characters';

const asLine = (sample: string): string => lineOf(undefined, undefined, sample);
const isTwin = (a: BouncePattern, b: BouncePattern): boolean =>
  a.pattern.toLowerCase() === b.pattern.toLowerCase() &&
  String(ispsOf(a)) === String(ispsOf(b)) &&
  String(a.phases) === String(b.phases);
