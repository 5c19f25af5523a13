/** The patterns that come with the program: `config/bounce-patterns.yaml`, read once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { BouncePattern } from './pattern.ts';

export const SHIPPED_FILE = join(import.meta.dirname, '../../config/bounce-patterns.yaml');

let cached: readonly BouncePattern[] | undefined;

/** Throws when the file is missing or broken: the installation is damaged. A test checks what stands in it. */
export function shippedPatterns(): readonly BouncePattern[] {
  cached ??= (parse(readFileSync(SHIPPED_FILE, 'utf8')) as { patterns: BouncePattern[] }).patterns;
  return cached;
}
