/**
 * `--watch`: a command over and over until Ctrl-C. On a terminal each picture is drawn over the last one, cut to the height
 * of the window; into a pipe or file, and as JSON, they follow each other.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { ExitCode, Io } from './io.ts';

export interface WatchOptions {
  /** Seconds; true: the usual. */
  readonly watch?: number | true;
  readonly json?: true;
}

export const DEFAULT_SECONDS = 2;

export const withWatch = (command: Command): Command =>
  command.option(
    '-w, --watch [seconds]',
    `again every so many seconds (${DEFAULT_SECONDS}), until Ctrl-C`,
    parseSeconds,
  );

export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.2 && seconds <= 86_400))
    throw new InvalidArgumentError('write a number of seconds from 0.2 to 86400, such as 5');
  return seconds;
}

/** Runs `once`, or again and again; gives the last exit code, or 0 when it was watched. */
export async function watched(
  io: Io,
  { watch, json }: WatchOptions,
  once: (io: Io) => Promise<ExitCode>,
): Promise<ExitCode> {
  if (watch === undefined) return once(io);
  const stop = io.interrupted();
  const draw = io.columns === undefined || json ? undefined : new Screen(io);
  try {
    for (;;) {
      const page = { out: '', err: '' };
      const code = await once(keeping(io, page));
      if (draw) await draw.show(page.out + page.err);
      else {
        await io.out(page.out);
        if (page.err !== '') io.err(page.err);
      }
      // Wrong usage will not become right.
      if (code === 2) return code;
      const seconds = watch === true ? DEFAULT_SECONDS : watch;
      await delay(seconds * 1000, undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) return 0;
    }
  } finally {
    await draw?.close();
  }
}

function keeping(io: Io, page: { out: string; err: string }): Io {
  const { columns, rows, colour, env } = io;
  return {
    columns,
    rows,
    colour,
    env,
    now: io.now,
    stdin: () => io.stdin(),
    interrupted: () => io.interrupted(),
    out: (text) => {
      page.out += text.toString();
      return Promise.resolve();
    },
    err: (text) => void (page.err += text),
  };
}

/** The other screen of the terminal, so that what was there before comes back. */
class Screen {
  readonly #io: Io;
  #open = false;

  constructor(io: Io) {
    this.#io = io;
  }

  /** No line of the text is longer than the window (`show` has folded it). */
  async show(text: string): Promise<void> {
    const rows = this.#io.rows ?? 24;
    const lines = text.trimEnd().split('\n');
    const seen =
      lines.length > rows
        ? [...lines.slice(0, rows - 1), `... ${lines.length - rows + 1} more lines`]
        : lines;
    const start = this.#open ? '\x1b[H' : '\x1b[?1049h\x1b[?25l\x1b[H';
    this.#open = true;
    await this.#io.out(`${start}${seen.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`);
  }

  async close(): Promise<void> {
    if (this.#open) await this.#io.out('\x1b[?25h\x1b[?1049l');
  }
}
