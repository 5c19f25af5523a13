/**
 * What can be said of a regular expression without running it: words of which at least one stands in every text that
 * it matches (so most patterns need not be run at all), and samples of such texts (so that a pattern which another
 * one hides can be found). An expression with a construct not known here has neither: it is run on every reply.
 */
export interface Syntax {
  /** Lower case, each at least three characters, or fewer with one beyond ASCII; undefined: nothing is required. */
  readonly required: readonly string[] | undefined;
  readonly samples: readonly string[];
}

/** A part of an expression: the texts it stands for when they are few, else words that one of must stand in it. */
interface Piece {
  readonly exact: readonly string[] | undefined;
  readonly any: readonly string[] | undefined;
  readonly samples: readonly string[];
}

const MAX_EXACT = 48;
const MAX_SAMPLES = 40;
export const MIN_WORD = 3;
export const FOREIGN = /[^\x00-\x7f]/;
/** Words of so many replies that looking for them rules little out. */
const COMMON = new Set(
  'user recipient address mailbox account message mail e-mail email domain host server client reject sender service connection not from'.split(
    ' ',
  ),
);

class Unknown extends Error {}

export function syntaxOf(source: string): Syntax {
  try {
    const reader = new Reader(source);
    const piece = reader.alternatives();
    if (!reader.done) return { required: undefined, samples: [] };
    return { required: usable(piece.exact) ?? usable(piece.any), samples: piece.samples };
  } catch (error) {
    if (error instanceof Unknown) return { required: undefined, samples: [] };
    throw error;
  }
}

/** Words that are all long enough to look for. */
function usable(words: readonly string[] | undefined): readonly string[] | undefined {
  if (!words || words.some((word) => word.length < MIN_WORD && !FOREIGN.test(word))) return undefined;
  return [...new Set(words.map((word) => word.toLowerCase()))];
}

const EMPTY: Piece = { exact: [''], any: undefined, samples: [''] };
const literal = (text: string): Piece => ({ exact: [text], any: undefined, samples: [text] });
const anything = (sample: string): Piece => ({ exact: undefined, any: undefined, samples: [sample] });

/** Sample characters of the classes of RE2 that patterns use. */
const CLASSES: Readonly<Record<string, string>> = { d: '1', w: 'a', s: ' ', D: 'x', W: ' ', S: 'x' };
const ZERO_WIDTH = new Set(['b', 'B', 'A', 'z']);

class Reader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  get done(): boolean {
    return this.#at >= this.#source.length;
  }

  alternatives(): Piece {
    const branches = [this.#sequence()];
    while (this.#eat('|')) branches.push(this.#sequence());
    if (branches.length === 1) return branches[0]!;
    return {
      exact: together(
        branches.map(({ exact }) => exact),
        MAX_EXACT,
      ),
      any: together(
        branches.map((one) => one.any ?? one.exact),
        200,
      ),
      samples: branches.flatMap(({ samples }) => samples).slice(0, MAX_SAMPLES),
    };
  }

  #sequence(): Piece {
    const run = new Run();
    while (!this.done && !'|)'.includes(this.#source[this.#at]!)) run.add(this.#repeated());
    return run.piece;
  }

  #repeated(): Piece {
    const piece = this.#atom();
    const range = this.#quantifier();
    if (!range) return piece;
    const [least, most] = range;
    this.#eat('?');
    const samples = piece.samples.map((sample) => sample.repeat(Math.min(least, 5)));
    if (least === 0) {
      const exact = most === 1 && piece.exact ? ['', ...piece.exact] : undefined;
      return { exact, any: undefined, samples: [''] };
    }
    return { exact: undefined, any: piece.any ?? piece.exact, samples };
  }

  #quantifier(): readonly [least: number, most: number] | undefined {
    if (this.#eat('*')) return [0, Infinity];
    if (this.#eat('+')) return [1, Infinity];
    if (this.#eat('?')) return [0, 1];
    const counted = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#source.slice(this.#at, this.#at + 12));
    if (!counted) return undefined;
    this.#at += counted[0].length;
    const least = Number(counted[1]);
    return [least, counted[2] === undefined ? least : counted[3] === '' ? Infinity : Number(counted[3])];
  }

  #atom(): Piece {
    const char = this.#source[this.#at++]!;
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '\\':
        return this.#escape();
      case '.':
        return anything('x');
      case '^':
      case '$':
        return EMPTY;
      default:
        return literal(char);
    }
  }

  #group(): Piece {
    if (this.#eat('?') && !this.#eat(':')) throw new Unknown();
    const piece = this.alternatives();
    if (!this.#eat(')')) throw new Unknown();
    return piece;
  }

  #escape(): Piece {
    const char = this.#source[this.#at++] ?? '';
    if (ZERO_WIDTH.has(char)) return EMPTY;
    if (Object.hasOwn(CLASSES, char)) return anything(CLASSES[char]!);
    if (/[A-Za-z0-9]/.test(char)) throw new Unknown();
    return literal(char);
  }

  #class(): Piece {
    const end = /^\^?\]?(?:\\.|[^\]\\])*\]/.exec(this.#source.slice(this.#at))?.[0];
    if (end === undefined) throw new Unknown();
    this.#at += end.length;
    const inside = end.slice(0, -1);
    const digits = /^(\d)-(\d)$/.exec(inside);
    if (digits) {
      const exact = '0123456789'.slice(Number(digits[1]), Number(digits[2]) + 1).split('');
      return { exact, any: undefined, samples: exact.slice(0, 1) };
    }
    if (/^[^\\^-]{1,6}$/.test(inside)) {
      const exact = [...inside];
      return { exact, any: undefined, samples: exact.slice(0, 1) };
    }
    const range = /^([A-Za-z0-9])-([A-Za-z0-9])/.exec(inside);
    return anything(
      inside.startsWith('^') ? '1' : (range?.[1] ?? CLASSES[inside[1] ?? ''] ?? inside[0] ?? 'x'),
    );
  }

  #eat(char: string): boolean {
    if (this.#source[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }
}

/** All of them in one list, or undefined when one is missing or there are too many. */
function together(lists: readonly (readonly string[] | undefined)[], most: number): string[] | undefined {
  const all: string[] = [];
  for (const list of lists) {
    if (!list || all.length + list.length > most) return undefined;
    all.push(...list);
  }
  return all;
}

/** Pieces one after the other: neighbours with few texts are read as one word. */
class Run {
  #word: readonly string[] = [''];
  /** The best words behind which the run was broken; `whole` says that it never was. */
  #best: readonly string[] | undefined;
  #whole = true;
  #samples: readonly string[] = [''];

  add({ exact, any, samples }: Piece): void {
    this.#samples = pairs(this.#samples, samples);
    if (exact && exact.length * this.#word.length <= MAX_EXACT) {
      this.#word = this.#word.flatMap((before) => exact.map((after) => before + after));
      return;
    }
    this.#best = better(better(this.#best, this.#word), any);
    this.#word = exact ?? [''];
    this.#whole = false;
  }

  get piece(): Piece {
    if (this.#whole) return { exact: this.#word, any: undefined, samples: this.#samples };
    return { exact: undefined, any: better(this.#best, this.#word), samples: this.#samples };
  }
}

/** Each of the longer list with one of the other. */
const pairs = (a: readonly string[], b: readonly string[]): string[] =>
  Array.from({ length: Math.min(Math.max(a.length, b.length), MAX_SAMPLES) }, (_, i) =>
    `${a[i % a.length] ?? ''}${b[i % b.length] ?? ''}`.slice(0, 400),
  );

/** The list whose shortest word is longer, because it stands in fewer texts. */
function better(
  a: readonly string[] | undefined,
  b: readonly string[] | undefined,
): readonly string[] | undefined {
  if (!a || !b) return a ?? b;
  return shortest(b) > shortest(a) ? b : a;
}

const shortest = (words: readonly string[]): number => Math.min(...words.map(weight));
const weight = (word: string): number => (COMMON.has(word.trim().toLowerCase()) ? MIN_WORD : word.length);
