/** What commands see of the process: terminal, environment, interruption. Tests give their own. */
export interface Io {
  /** Writes text, or bytes, as it is; resolves when more may be written. */
  out(text: string | Buffer): Promise<void>;
  err(text: string): void;
  /** Width of the terminal; undefined when the output is not one. */
  readonly columns: number | undefined;
  /** Its height, where it is known. */
  readonly rows?: number | undefined;
  readonly colour: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  stdin(): AsyncIterable<Buffer>;
  /** From the first call on, Ctrl-C does not end the process but aborts this. */
  interrupted(): AbortSignal;
}

/** 0 ok, 1 the answer is no, 2 usage or configuration. */
export type ExitCode = 0 | 1 | 2;

/** Carries the exit code of an action through commander, which has no way to return one. */
export class Exit extends Error {
  readonly code: ExitCode;

  constructor(code: ExitCode) {
    super(`exit ${code}`);
    this.code = code;
  }
}

/** Makes an action of a function that answers with its exit code. */
export const exitingWith =
  <A extends readonly unknown[]>(action: (...args: A) => Promise<ExitCode>) =>
  async (...args: A): Promise<void> => {
    const code = await action(...args);
    if (code !== 0) throw new Exit(code);
  };

type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold';
const CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  dim: [2, 22],
  bold: [1, 22],
};

export function paint({ colour }: Pick<Io, 'colour'>, name: Colour, text: string): string {
  const [on, off] = CODES[name];
  return colour ? `\x1b[${on}m${text}\x1b[${off}m` : text;
}

/** Text of strangers (replies, addresses) must not steer the terminal. */
export const clean = (text: string): string =>
  text.replace(/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, '?');

/** `2026-05-01 08:00:00Z` */
export const clock = (iso: string): string => iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z');

const DAY_MS = 86_400_000;

/** On a terminal, where room is short: within a day the time, before and after that the day. */
export function shortClock({ columns, now }: Pick<Io, 'columns' | 'now'>, iso: string): string {
  if (columns === undefined) return clock(iso);
  const age = now() - Date.parse(iso);
  return Math.abs(age) < DAY_MS ? iso.slice(11, 19) + 'Z' : iso.slice(0, 10);
}
