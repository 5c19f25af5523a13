/** The preloaded library that sees the store's writes (store-shim.c), made when a test wants it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { scratch } from './mta.ts';

const SOURCE = join(import.meta.dirname, 'store-shim.c');

/** The environment of a program whose store is watched. */
export type StoreShim = (settings: Readonly<Record<string, number>>) => Record<string, string>;

/** Undefined, after saying why, where there is no compiler. */
export function storeShim(t: TestContext): StoreShim | undefined {
  const library = join(scratch(t), 'store-shim.so');
  try {
    execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl'], { stdio: 'pipe' });
  } catch (error) {
    if (process.env['CI'] !== undefined || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    t.diagnostic('gcc is missing: without the writes of the store');
    return undefined;
  }
  return (settings) => {
    const named = Object.entries(settings).map(([name, value]) => [`SHIM_${name}`, String(value)]);
    return { LD_PRELOAD: library, ...(Object.fromEntries(named) as Record<string, string>) };
  };
}
