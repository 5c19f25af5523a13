/** Reads mail as the worker of the server does, but breaks in the way that the text of the mail names. */
import type { ParseTask } from '../../../src/mta/inbound/parse-pool.ts';
import type { Reading } from '../../../src/mta/inbound/reading.ts';
import { readingOf } from './reading-of.ts';

const READING = readingOf('auto_reply');

export default function read({ raw }: ParseTask): Reading {
  const text = Buffer.from(raw).toString();
  if (text.startsWith('die')) process.exit(1);
  if (text.startsWith('throw')) throw new Error('a fault of the parser');
  if (text.startsWith('hang')) for (;;);
  if (text.startsWith('fill')) for (const all: number[][] = []; ;) all.push(Array<number>(10_000).fill(0.5));
  return READING;
}
