/**
 * Class and category of a refusal. First the words: the patterns of the configuration, then the shipped ones, in each
 * those of the ISP before those of all, in their order; the first that matches decides. A reply that no pattern knows
 * falls back to its codes (codes.ts) and is counted, so that the next pattern can be written.
 *
 * Invariants: a temporary refusal is never `hard`; without a pattern only the codes that name a dead address are; nor
 * is what the peer says before RCPT, when it does not know the recipient.
 * Runs on the sending path for each refusal: one pass over the text finds the few patterns that can match at all.
 */
import type { Bounce, Phase, Refusal } from '../core/index.ts';
import { classifyByCode } from './codes.ts';
import { type BouncePattern, CompiledPattern, isGeneral, ispsOf, lineOf } from './pattern.ts';
import { shippedPatterns } from './shipped.ts';
import { FOREIGN, MIN_WORD } from './syntax.ts';
import { UnmatchedReplies, type UnmatchedReply } from './unmatched.ts';
import { WordIndex } from './word-index.ts';

export interface ClassifierOptions {
  /** Of the configuration, whose expressions were checked when it was read (patternProblem). Default: none. */
  readonly own?: readonly BouncePattern[];
  /** Default: the shipped patterns. */
  readonly shipped?: readonly BouncePattern[];
  /** The one that this replaces: its counts go on. */
  readonly previous?: Classifier | undefined;
}

export interface PatternHits {
  readonly pattern: BouncePattern;
  readonly own: boolean;
  readonly hits: number;
}

export class Classifier {
  readonly #patterns: readonly CompiledPattern[];
  readonly #hits: number[];
  readonly #words: WordIndex;
  /** Patterns that require no word, so are tried on every reply; those that may require a letter beyond ASCII. */
  readonly #always: readonly number[];
  readonly #foreign: readonly number[];
  /** A bit for each pattern that can match the reply at hand. */
  readonly #bits: Uint32Array;
  readonly #unmatched: UnmatchedReplies;

  constructor({ own = [], shipped = shippedPatterns(), previous }: ClassifierOptions = {}) {
    this.#patterns = [...ordered(own, true), ...ordered(shipped, false)];
    const before = new Map(previous?.hits().map(({ pattern, hits }) => [pattern.name, hits]));
    this.#hits = this.#patterns.map(({ pattern }) => before.get(pattern.name) ?? 0);
    this.#unmatched = previous?.unmatchedReplies ?? new UnmatchedReplies();
    const words = new Map<string, number[]>();
    const always: number[] = [];
    const foreign: number[] = [];
    for (const [i, { syntax }] of this.#patterns.entries()) {
      if (!syntax.required) always.push(i);
      for (const word of syntax.required ?? []) {
        if (word.length < MIN_WORD) foreign.push(i);
        else words.set(word, [...(words.get(word) ?? []), i]);
      }
    }
    this.#words = new WordIndex(words);
    this.#always = always;
    this.#foreign = foreign;
    this.#bits = new Uint32Array((this.#patterns.length >>> 5) + 1);
  }

  /** In the order in which they are tried. */
  get patterns(): readonly CompiledPattern[] {
    return this.#patterns;
  }

  /** For the classifier that replaces this one. */
  get unmatchedReplies(): UnmatchedReplies {
    return this.#unmatched;
  }

  classify(refusal: Refusal, isp?: string): Bounce {
    const { reply } = refusal;
    if (reply === undefined) return classifyByCode(refusal);
    const line = lineOf(reply.code, reply.enhanced, reply.text);
    const index = this.#match(line, isp, refusal.phase);
    if (index === undefined) {
      this.#unmatched.add(line);
      return ofWhom(classifyByCode(refusal), refusal.phase);
    }
    this.#hits[index]! += 1;
    const { pattern } = this.#patterns[index]!;
    const bounce = bounceOf(pattern, refusal.permanent);
    return pattern.phases === undefined ? ofWhom(bounce, refusal.phase) : bounce;
  }

  /** All patterns that match, the deciding one first; counts nothing. */
  explain(line: string, isp?: string, phase?: Phase): CompiledPattern[] {
    return this.#patterns.filter((one) => applies(one, isp, phase) && one.matches(line));
  }

  hits(): PatternHits[] {
    return this.#patterns.map(({ pattern, own }, i) => ({ pattern, own, hits: this.#hits[i]! }));
  }

  /** The most frequent replies that no pattern knew, numbers and addresses folded; most frequent first. */
  unmatched(most: number): UnmatchedReply[] {
    return this.#unmatched.top(most);
  }

  #match(line: string, isp: string | undefined, phase: Phase): number | undefined {
    const bits = this.#bits.fill(0);
    this.#words.mark(line.toLowerCase(), bits);
    for (const i of this.#always) bits[i >>> 5]! |= 1 << (i & 31);
    if (this.#foreign.length > 0 && FOREIGN.test(line))
      for (const i of this.#foreign) bits[i >>> 5]! |= 1 << (i & 31);
    for (let at = 0; at < bits.length; at++) {
      for (let rest = bits[at]!; rest !== 0; rest &= rest - 1) {
        const i = at * 32 + 31 - Math.clz32(rest & -rest);
        const one = this.#patterns[i]!;
        if (applies(one, isp, phase) && one.matches(line)) return i;
      }
    }
    return undefined;
  }
}

export function bounceOf({ name, category, class: bounceClass }: BouncePattern, permanent: boolean): Bounce {
  // Who says "try again" does not say that the address is dead, whatever the words.
  const capped = bounceClass === 'hard' && !permanent ? 'soft' : bounceClass;
  return { class: capped, category, pattern: name };
}

/** Behind MAIL an unknown user is the sender; a greeting may say that the host takes no mail at all (RFC 7504). */
function ofWhom(bounce: Bounce, phase: Phase): Bounce {
  if (bounce.class !== 'hard' || !BEFORE_RCPT.has(phase)) return bounce;
  if (phase === 'greeting' && bounce.category === 'bad_domain') return bounce;
  return { ...bounce, class: 'block', category: phase === 'mail' ? 'sender_refused' : 'policy' };
}

const BEFORE_RCPT: ReadonlySet<Phase> = new Set(['greeting', 'ehlo', 'starttls', 'auth', 'mail']);

const applies = ({ pattern }: CompiledPattern, isp: string | undefined, phase: Phase | undefined): boolean =>
  (isGeneral(pattern) || (isp !== undefined && ispsOf(pattern).includes(isp))) &&
  (pattern.phases === undefined || phase === undefined || pattern.phases.includes(phase));

/** Those of an ISP first; otherwise as they stand. */
function ordered(patterns: readonly BouncePattern[], own: boolean): CompiledPattern[] {
  const compiled = patterns.map((pattern) => new CompiledPattern(pattern, own));
  return [
    ...compiled.filter(({ pattern }) => !isGeneral(pattern)),
    ...compiled.filter(({ pattern }) => isGeneral(pattern)),
  ];
}
