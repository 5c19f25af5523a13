/**
 * A bounce pattern: words of a receiver and what they mean. The fields are those of AKMTA (name, type, ISP, pattern,
 * message) with our finer class and category; `type` says the class in three letters and must agree with it.
 */
import { RE2JS } from 're2js';
import type { BounceCategory, BounceClass, Phase } from '../core/index.ts';
import { type Syntax, syntaxOf } from './syntax.ts';

export interface BouncePattern {
  readonly name: string;
  /** Name of an ISP or several, or `*` for all. */
  readonly isp: string | readonly string[];
  readonly pattern: string;
  readonly class: BounceClass;
  readonly category: BounceCategory;
  /** Only in these phases of a session; undefined: in every one. */
  readonly phases?: readonly Phase[];
  readonly message?: string;
  readonly source?: string;
}

/** A pattern that is ready to be run. The expression is compiled when it is first needed: most never are. */
export class CompiledPattern {
  readonly pattern: BouncePattern;
  /** Configured by the user, so before the shipped ones. */
  readonly own: boolean;
  readonly syntax: Syntax;
  #expression: RE2JS | undefined;

  constructor(pattern: BouncePattern, own: boolean) {
    this.pattern = pattern;
    this.own = own;
    this.syntax = syntaxOf(pattern.pattern);
  }

  matches(line: string): boolean {
    this.#expression ??= RE2JS.compile(this.pattern.pattern, RE2JS.CASE_INSENSITIVE);
    return this.#expression.test(line);
  }
}

/** The ISPs whose replies a pattern is for; `*` is all. */
export const ispsOf = ({ isp }: Pick<BouncePattern, 'isp'>): readonly string[] =>
  typeof isp === 'string' ? [isp] : isp;

export const isGeneral = (pattern: Pick<BouncePattern, 'isp'>): boolean => ispsOf(pattern)[0] === '*';

/** A reply is matched as one line of at most this many characters; the longest that mean anything have 500. */
export const MAX_LINE = 1_000;
const MAX_PATTERN = 2_000;

/** What is wrong with a regular expression, or undefined. RE2 has no construct that backtracks, so none can hang. */
export function patternProblem(source: string): string | undefined {
  if (source === '') return 'an empty pattern matches every reply';
  if (source.length > MAX_PATTERN) return `longer than ${MAX_PATTERN} characters`;
  try {
    const expression = RE2JS.compile(source, RE2JS.CASE_INSENSITIVE);
    return expression.test('') ? 'matches every reply: name words that must stand in it' : undefined;
  } catch (error) {
    const [reason = 'it cannot be read'] = (error as Error).message.split('\n');
    return `no regular expression of RE2 (which has no look-around and no back-references): ${reason}`;
  }
}

/** Reply code, enhanced code and text as the one line that patterns see. */
export function lineOf(code: number | undefined, enhanced: string | undefined, text: string): string {
  const said = text.length > MAX_LINE ? text.slice(0, MAX_LINE) : text;
  const line = `${code ?? ''} ${enhanced === undefined ? '' : `${enhanced} `}${said}`;
  return (/\s\s|[^\S ]|^ /.test(line) ? line.replace(/\s+/g, ' ').trim() : line).slice(0, MAX_LINE);
}
