/**
 * Kinds of values that are not about the network: text, numbers, units, choices, paths. Every error says what was
 * expected, what was found and, where it can be guessed, what to write.
 */
import {
  err,
  formatSize,
  ok,
  parseDuration,
  parseRate,
  parseSize,
  type Rate,
  type Result,
} from '../core/index.ts';
import type { LeafKind, Spec } from './kind.ts';
import { nearest } from './problem.ts';

const CLIPPED = 60;

/** A value as it was found, for the end of a message: `5 (number)`, `"abc" (text)`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' || typeof value === 'boolean') return `${value} (${typeof value})`;
  if (typeof value !== 'string') return 'a map';
  return `${JSON.stringify(value.length > CLIPPED ? `${value.slice(0, CLIPPED)}...` : value)} (text)`;
}

/** `expected a duration such as 60s, got 5 (number): write 5s` */
export function expected(what: string, value: unknown, write?: string): Result<never, string> {
  return err(`expected ${what}, got ${describe(value)}${write === undefined ? '' : `: write ${write}`}`);
}

/** A spec for values that are written as text; a number there is told to be put in quotes. */
export function textSpec<T>(
  kind: LeafKind,
  what: string,
  read: (text: string) => Result<T, string> | undefined,
): Spec<T> {
  return {
    kind,
    read(value) {
      if (typeof value === 'number')
        return expected(
          what,
          value,
          kind.label === 'text' || kind.label === 'name' ? `"${value}"` : undefined,
        );
      if (typeof value !== 'string' || value === '') return expected(what, value);
      return read(value) ?? expected(what, value);
    },
  };
}

// A line break would let a value of the configuration add header lines to a message or commands to a session.
export const text: Spec<string> = textSpec({ label: 'text', json: { type: 'string' } }, 'a text', (value) =>
  /[\x00-\x1f\x7f]/.test(value) ? err('a line break or control character is not allowed here') : ok(value),
);

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/;

export const name: Spec<string> = textSpec(
  { label: 'name', json: { type: 'string', pattern: NAME.source } },
  'a name of up to 64 letters, digits and _ . : - (a letter or digit first)',
  (value) => (NAME.test(value) ? ok(value) : undefined),
);

export const filePath: Spec<string> = textSpec(
  { label: 'path', json: { type: 'string' } },
  'a path',
  (value) => (value.includes('\0') ? undefined : ok(value)),
);

const UNIT_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^(?:ms|millis\w*)$/, 'ms'],
  [/^(?:s|secs?|seconds?)$/, 's'],
  [/^(?:m|mins?|minutes?)$/, 'm'],
  [/^(?:h|hrs?|hours?)$/, 'h'],
  [/^(?:d|days?)$/, 'd'],
];

/** `5 sec` -> `5s`, and a number in the unit of the example; undefined when it cannot be guessed. */
function guessDuration(value: unknown, example: string): string | undefined {
  const unitOfExample = example.replace(/^[\d.]+/, '');
  if (typeof value === 'number')
    return Number.isFinite(value) && value > 0 ? `${value}${unitOfExample}` : undefined;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value) : null;
  if (!match) return undefined;
  const [, amount, word = ''] = match;
  const unit = word === '' ? unitOfExample : UNIT_WORDS.find(([one]) => one.test(word.toLowerCase()))?.[1];
  return unit === undefined ? undefined : `${amount}${unit}`;
}

const MAX_DURATION_MS = 3660 * 86400e3;

/** The example is what messages show; it gives the unit that a bare number is most likely meant in. */
export function duration(example: string): Spec<number> {
  return {
    kind: {
      label: 'duration',
      suffix: 'Ms',
      json: { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w))+$' },
    },
    read(value) {
      const ms = typeof value === 'string' ? parseDuration(value) : undefined;
      if (ms === undefined)
        return expected(`a duration such as ${example}`, value, guessDuration(value, example));
      if (ms <= 0) return err(`expected a duration above zero such as ${example}`);
      return ms <= MAX_DURATION_MS ? ok(ms) : err('expected a duration of at most ten years');
    },
  };
}

export const size: Spec<number> = {
  kind: {
    label: 'size',
    suffix: 'Bytes',
    json: { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)? ?([KMGTkmgt]?[Bb])$' },
  },
  read(value) {
    const bytes = typeof value === 'string' ? parseSize(value) : undefined;
    if (bytes === undefined) return expected('a size such as 25MB', value, guessSize(value));
    return bytes > 0 && Number.isSafeInteger(bytes) ? ok(bytes) : err('expected a size above zero');
  },
};

function guessSize(value: unknown): string | undefined {
  if (typeof value === 'number' && value > 0) {
    if (value < 1024) return `${value}MB`;
    const round = formatSize(value);
    return parseSize(round) === value ? round : `${Math.ceil(value)}B`;
  }
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*([kmgt])(?:i?b)?$/i.exec(value) : null;
  return match ? `${match[1]}${match[2]!.toUpperCase()}B` : undefined;
}

export const rate: Spec<Rate> = {
  kind: { label: 'rate', json: { type: 'string', pattern: '^[0-9]+/.+$' } },
  read(value) {
    const result = typeof value === 'string' ? parseRate(value) : undefined;
    if (result) return ok(result);
    return expected('a rate such as 100/1m (100 messages a minute)', value, guessRate(value));
  },
};

function guessRate(value: unknown): string | undefined {
  if (typeof value === 'number') return value > 0 ? `${value}/1m` : undefined;
  const words = /^([1-9]\d*)\s*(?:\/|per|an?)\s*(s|m|h|d)(?:ec|econd|in|inute|our|r|ay)?s?$/i;
  const match = typeof value === 'string' ? words.exec(value) : null;
  return match ? `${match[1]}/1${match[2]!.toLowerCase()}` : undefined;
}

interface Bounds {
  readonly min: number;
  readonly max?: number;
}

export function integer({ min, max = Number.MAX_SAFE_INTEGER }: Bounds): Spec<number> {
  const open = max === Number.MAX_SAFE_INTEGER;
  const what = open ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`;
  return {
    kind: { label: 'number', json: { type: 'integer', minimum: min, ...(open ? {} : { maximum: max }) } },
    read(value) {
      const fits = Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
      return fits ? ok(value as number) : expected(what, value, unquoted(value));
    },
  };
}

/** A number in quotes: `"5"` -> `5`. */
function unquoted(value: unknown): string | undefined {
  return typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value) ? `${value} without quotes` : undefined;
}

export function decimal({ min, max = Infinity }: Bounds): Spec<number> {
  const what = max === Infinity ? `a number of at least ${min}` : `a number from ${min} to ${max}`;
  const bounds = { minimum: min, ...(max === Infinity ? {} : { maximum: max }) };
  return {
    kind: { label: 'number', json: { type: 'number', ...bounds } },
    read: (value) =>
      typeof value === 'number' && Number.isFinite(value) && value >= min && value <= max
        ? ok(value)
        : expected(what, value, unquoted(value)),
  };
}

export const weight: Spec<number> = {
  kind: { label: 'number', json: { type: 'number', exclusiveMinimum: 0 } },
  read: (value) =>
    typeof value === 'number' && Number.isFinite(value) && value > 0
      ? ok(value)
      : expected('a weight above 0', value, value === 0 ? '1, or remove the entry' : unquoted(value)),
};

const YES_NO: Readonly<Record<string, string>> = { yes: 'true', on: 'true', no: 'false', off: 'false' };

export const flag: Spec<boolean> = {
  kind: { label: 'true or false', json: { type: 'boolean' } },
  read: (value) =>
    typeof value === 'boolean'
      ? ok(value)
      : expected('true or false', value, typeof value === 'string' ? YES_NO[value.toLowerCase()] : undefined),
};

const either = (words: readonly string[]): string =>
  words.length === 1 ? words[0]! : `${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`;

/** One of some words; `planned` are words of a later version. */
export function choice<const W extends string>(
  words: readonly W[],
  planned: readonly string[] = [],
): Spec<W> {
  const what = either(words);
  return {
    kind: { label: what, json: { enum: words } },
    read(value) {
      if (words.includes(value as W)) return ok(value as W);
      if (typeof value !== 'string') return expected(what, value);
      if (planned.includes(value)) return err(`"${value}" is not supported in this version: write ${what}`);
      const near = nearest(value, words);
      return err(`expected ${what}, got "${value}"${near === undefined ? '' : `, did you mean "${near}"?`}`);
    },
  };
}

/** A word or what another kind reads: `auto` or a number. */
export function wordOr<const W extends string, T>(word: W, spec: Spec<T>, what: string): Spec<W | T> {
  return {
    kind: { label: `${word} or ${spec.kind.label}`, json: { anyOf: [{ const: word }, spec.kind.json] } },
    read(value) {
      if (value === word) return ok(word);
      const result = spec.read(value);
      if (result.ok) return result;
      return Array.isArray(value) ? result : expected(`${word} or ${what}`, value, unquoted(value));
    },
  };
}

export const timezone: Spec<string> = textSpec(
  { label: 'time zone', json: { type: 'string' } },
  'a time zone such as UTC or Europe/Kyiv',
  (value) => {
    try {
      new Intl.DateTimeFormat('en', { timeZone: value });
      return ok(value);
    } catch {
      const near = nearest(value, Intl.supportedValuesOf('timeZone'));
      if (near !== undefined) return err(`unknown time zone "${value}", did you mean "${near}"?`);
      return err(`unknown time zone "${value}": write UTC or a name such as Europe/Kyiv`);
    }
  },
);

const HEADER_NAME = /^[!-9;-~]{1,76}$/; // RFC 5322 §3.6.8

export const headerName: Spec<string> = textSpec(
  { label: 'header name', json: { type: 'string', pattern: HEADER_NAME.source } },
  'a header name without the colon',
  (value) => (HEADER_NAME.test(value) ? ok(value) : undefined),
);
