/**
 * The parts on the way of each message, each beside the least that a machine can do for the same result: a copy of the
 * bytes, a search through them, SHA-256, the bare signature. The factor between them is what is left to gain.
 */
import { measure } from 'mitata';
import { BOUNCE } from './bounce.ts';
import { DKIM } from './dkim.ts';
import { MESSAGE } from './message.ts';
import { SCHEDULE } from './schedule.ts';
import { SENDING } from './sending.ts';

export interface Part {
  readonly name: string;
  readonly work: string;
  /** What has to be there before. */
  readonly ready?: () => Promise<void>;
  /** Must use its result, or return it, so that it is not optimised away. */
  readonly run: () => unknown;
  readonly limit: { readonly work: string; readonly run: () => unknown };
}

const PARTS: readonly Part[] = [...MESSAGE, ...DKIM, ...SCHEDULE, ...SENDING, ...BOUNCE];
const MEASURE = { min_cpu_time: 300e6 };

/** Measures the parts whose name begins with one of the names, or all. */
export async function runMicro(names: readonly string[]): Promise<void> {
  const parts = PARTS.filter(
    ({ name }) => names.length === 0 || names.some((wanted) => name.startsWith(wanted)),
  );
  if (parts.length === 0) {
    console.error(`no part has such a name; there are ${PARTS.map(({ name }) => name).join(', ')}`);
    process.exitCode = 2;
    return;
  }
  console.log(`Node.js ${process.version}, medians in microseconds\n`);
  console.log(
    `| ${['part'.padEnd(16), 'work'.padEnd(52), 'us', 'limit'.padEnd(40), 'us', 'factor'].join(' | ')} |`,
  );
  console.log(`| ${'-'.repeat(16)} | ${'-'.repeat(52)} | -: | ${'-'.repeat(40)} | -: | -: |`);
  for (const part of parts) console.log(await row(part));
}

async function row({ name, work, ready, run, limit }: Part): Promise<string> {
  await ready?.();
  const own = (await measure(run, MEASURE)).p50;
  const least = (await measure(limit.run, MEASURE)).p50;
  const microseconds = (ns: number): string => (ns / 1000).toFixed(2);
  return `| ${name.padEnd(16)} | ${work.padEnd(52)} | ${microseconds(own)} | ${limit.work.padEnd(40)} | ${microseconds(least)} | ${(own / least).toFixed(1)} |`;
}
