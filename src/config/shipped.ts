/**
 * What comes with the program as files that people can read and copy from: `config/rules.yaml` (retry rules, lock
 * rules, rules) and `config/isps` (ISPs, and the strategies an address starts with). An entry of the same name in the
 * configuration replaces one of these.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import { builtins, lists } from './schema.ts';

const DIRECTORY = join(import.meta.dirname, '..', '..', 'config');

const rulesFile = z.strictObject({
  retry_rules: lists.retry_rules,
  lock_rules: lists.lock_rules,
  rules: lists.rules,
});

type Rules = z.output<typeof rulesFile>;

const ispsFile = z.strictObject({ strategies: lists.strategies, isps: lists.isps });

type Isps = z.output<typeof ispsFile>;

/** Throws when the program was installed without its files, or with others. */
function read<T>(schema: z.ZodType<T>, file: string): T {
  const path = join(DIRECTORY, file);
  const result = schema.safeParse(parse(readFileSync(path, 'utf8')));
  if (result.success) return result.data;
  throw new Error(`${path} does not fit this version: ${z.prettifyError(result.error)}`);
}

let rules: Rules | undefined;

/** Read once, at the first configuration. */
export function shippedRules(): Rules {
  if (rules) return rules;
  const { retry_rules, ...rest } = read(rulesFile, 'rules.yaml');
  return (rules = { ...rest, retry_rules: [...builtins.retryRules, ...retry_rules] });
}

let isps: Isps | undefined;

/** Read once, at the first configuration. */
export function shippedIsps(): Isps {
  if (isps) return isps;
  const names = readdirSync(join(DIRECTORY, 'isps'))
    .filter((name) => name.endsWith('.yaml'))
    .sort();
  const files = names.map((name) => read(ispsFile, join('isps', name)));
  return (isps = {
    strategies: files.flatMap(({ strategies }) => strategies),
    isps: files.flatMap((file) => file.isps),
  });
}

export const shippedStrategies = (): Isps['strategies'] => [
  ...builtins.strategies,
  ...shippedIsps().strategies,
];

/** The entries of a list, then the shipped ones whose names were not taken. */
export function withShipped<T extends { readonly name: string }>(
  own: readonly T[],
  shipped: readonly T[],
): T[] {
  return [...own, ...shipped.filter((one) => !own.some(({ name }) => name === one.name))];
}
