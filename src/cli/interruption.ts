/**
 * Ctrl-C for commands that run until it. A terminal sends the signal to npm and to us, and npm passes its own on, so
 * signals within SAME_MS of the last one are the same Ctrl-C; a later one means: at once.
 */
import { constants } from 'node:os';

export const SAME_MS = 500;

type Signal = 'SIGINT' | 'SIGTERM';

export interface InterruptionOptions {
  readonly process: { on(signal: Signal, listener: (signal: Signal) => void): unknown };
  /** Milliseconds of a clock that never jumps. */
  readonly mono: () => number;
  /** Called for each later signal, with the exit code that a shell gives a program ended by it. */
  readonly again: (exitCode: number) => void;
}

/** Aborts at the first signal. From the call on, signals do not end the process by themselves. */
export function interruption({ process, mono, again }: InterruptionOptions): AbortSignal {
  const interrupted = new AbortController();
  let last = -Infinity;
  const onSignal = (signal: Signal): void => {
    const since = mono() - last;
    last = mono();
    if (!interrupted.signal.aborted) interrupted.abort();
    else if (since >= SAME_MS) again(128 + constants.signals[signal]);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return interrupted.signal;
}
