/**
 * What comes with the program as files that people can read and copy from: `config/rules.yaml` (retry rules, lock
 * rules, rules) and `config/isps` (ISPs, and the strategies an address starts with). An entry of the same name in the
 * configuration replaces one of these.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Path } from './problem.ts';
import { builtins, lists } from './schema.ts';
import type { PlacedList } from './snapshot-places.ts';
import { Sources } from './source.ts';

const DIRECTORY = join(import.meta.dirname, '..', '..', 'config');

const rulesFile = z.strictObject({
  retry_rules: lists.retry_rules,
  lock_rules: lists.lock_rules,
  rules: lists.rules,
});

type Rules = z.output<typeof rulesFile>;

const ispsFile = z.strictObject({ strategies: lists.strategies, isps: lists.isps });

type Isps = z.output<typeof ispsFile>;

interface Read<T> {
  readonly value: T;
  readonly sources: Sources;
}

/** Throws when the program was installed without its files, or with others. */
function read<T>(schema: z.ZodType<T>, file: string): Read<T> {
  const path = join(DIRECTORY, file);
  const sources = new Sources();
  sources.add(readFileSync(path, 'utf8'), `config/${file}`);
  const [wrong] = sources.problems;
  const result = schema.safeParse(sources.root);
  if (result.success && !wrong) return { value: result.data, sources };
  const why = wrong?.message ?? (result.error && z.prettifyError(result.error));
  throw new Error(`${path} does not fit this version: ${why}`);
}

let rules: Read<Rules> | undefined;

/** Read once, at the first configuration. */
const rulesRead = (): Read<Rules> => (rules ??= read(rulesFile, 'rules.yaml'));

export function shippedRules(): Rules {
  const { retry_rules, ...rest } = rulesRead().value;
  return { ...rest, retry_rules: [...builtins.retryRules, ...retry_rules] };
}

let isps: readonly Read<Isps>[] | undefined;

/** Read once, at the first configuration. */
const ispsRead = (): readonly Read<Isps>[] =>
  (isps ??= readdirSync(join(DIRECTORY, 'isps'))
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => read(ispsFile, `isps/${name}`)));

export const shippedIsps = (): Isps => ({
  strategies: ispsRead().flatMap(({ value }) => value.strategies),
  isps: ispsRead().flatMap(({ value }) => value.isps),
});

/** Entries of one list in one set of files. */
export interface PlacedEntries {
  readonly list: PlacedList;
  readonly entries: readonly { readonly name?: string | undefined }[];
  readonly sources: Sources;
  readonly at: (entry: object, index: number) => Path;
  /** What an entry without a name is called: this and its place in the list. */
  readonly unnamed: string;
}

/** The same entries with the files they stand in, by list. */
export function shippedEntries(): PlacedEntries[] {
  return [rulesRead(), ...ispsRead()].flatMap(({ value, sources }) =>
    Object.entries(value).map(([list, entries]) => ({
      list: list as PlacedEntries['list'],
      entries: entries as PlacedEntries['entries'],
      sources,
      at: (_entry, index) => [list, index],
      unnamed: 'shipped-',
    })),
  );
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
