/** A wall clock that a test sets, for a program that it starts: libfaketime, which reads the offset from a file. */
import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { scratch } from './mta.ts';

export interface SettableClock {
  /** Of the program whose clock it is. */
  readonly env: Record<string, string>;
  /** Sets the clock to so many hours beside the true time. */
  set(hours: number): void;
}

/** Undefined, after saying why, where the program `faketime` is missing. */
export function settableClock(t: TestContext): SettableClock | undefined {
  const file = join(scratch(t), 'offset');
  const set = (hours: number): void => {
    writeFileSync(`${file}.new`, `${hours < 0 ? '' : '+'}${hours * 3600}s\n`);
    renameSync(`${file}.new`, file);
  };
  set(0);
  try {
    const preload = execFileSync('faketime', ['-m', '-f', '+0s', 'printenv', 'LD_PRELOAD'], {
      stdio: 'pipe',
    });
    const env = {
      LD_PRELOAD: preload.toString().trim(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
    return { env, set };
  } catch (error) {
    if (process.env['CI'] !== undefined || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    t.diagnostic('the program faketime is missing: the clock is not set');
    return undefined;
  }
}
