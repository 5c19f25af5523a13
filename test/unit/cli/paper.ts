/** An Io that keeps what is printed. */
import type { Io } from '../../../src/cli/io.ts';

export interface Paper extends Io {
  readonly printed: { out: string; err: string };
  readonly stop: AbortController;
}

export function createPaper(
  overrides: Partial<Pick<Io, 'columns' | 'colour' | 'env' | 'now' | 'stdin'>> = {},
): Paper {
  const printed = { out: '', err: '' };
  const stop = new AbortController();
  return {
    printed,
    stop,
    out: (text) => {
      printed.out += text.toString();
      return Promise.resolve();
    },
    err: (text) => void (printed.err += text),
    columns: undefined,
    colour: false,
    env: {},
    now: () => Date.UTC(2026, 0, 1, 0, 1),
    stdin: () => {
      throw new Error('no standard input was expected');
    },
    interrupted: () => stop.signal,
    ...overrides,
  };
}
