/**
 * What a person is told about a configuration: where (file, line, column, key) and what to write instead. Problems
 * are values and are collected, so that one run shows all of them.
 */
import { distance } from 'fastest-levenshtein';

/** Keys and list positions from the root of a configuration: `['senders', 0, 'name']`. */
export type Path = readonly (string | number)[];

export interface ConfigProblem {
  readonly file: string;
  /** From 1; 0 when the problem has no position in the file (it cannot be read). */
  readonly line: number;
  readonly column: number;
  /** `senders[0].nodes[0].node`; empty when the problem is not about a key. */
  readonly path: string;
  readonly message: string;
}

export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[\p{L}\p{N}_-]+$/u.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** `mta.yaml:12:5 senders[0].nodes[0].node: unknown node "n9", did you mean "n1"?` */
export function formatProblem(problem: ConfigProblem): string {
  const position = problem.line > 0 ? `:${problem.line}:${problem.column}` : '';
  const path = problem.path === '' ? '' : ` ${problem.path}`;
  return `${problem.file}${position}${path}: ${problem.message}`;
}

/** Order of reading: file, line, column; then the text, so that the order is always the same. */
export function sortProblems(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return problems.toSorted(
    (a, b) =>
      compareText(a.file, b.file) ||
      a.line - b.line ||
      a.column - b.column ||
      compareText(a.message, b.message),
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Slips allowed between two words: one in three letters, and one more when they begin alike (`gmial` for `gmail`). */
const slips = (word: string, candidate: string): number =>
  Math.max(1, word[0] === candidate[0] ? Math.ceil(word.length / 3) : Math.floor(word.length / 3));

const plainForm = (word: string): string => word.toLowerCase().replaceAll('-', '_');

/** The candidate a person most likely meant, or undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const plain = plainForm(word);
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const other = plainForm(candidate);
    const d = distance(plain, other);
    if (d >= bestDistance || d > slips(plain, other)) continue;
    best = candidate;
    bestDistance = d;
  }
  return best;
}

const LISTED = 12;

/** The end of a sentence about an unknown word: `, did you mean "n1"?`, or what there is to choose from. */
export function instead(word: string, candidates: readonly string[], what: string): string {
  const near = nearest(word, candidates);
  if (near !== undefined) return `, did you mean "${near}"?`;
  if (candidates.length === 0) return `: no ${what} is defined`;
  const more = candidates.length > LISTED ? `, and ${candidates.length - LISTED} more` : '';
  return `: there is ${candidates.slice(0, LISTED).join(', ')}${more}`;
}
