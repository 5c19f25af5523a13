/** What a reload changes, by configuration key, and which of it is used only after a restart. */
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { keyDocs, keysOf, unwrap } from './kind.ts';
import { propertyOf } from './names.ts';
import { schema } from './schema.ts';
import type { Config } from './snapshot.ts';

export interface ConfigDiff {
  /** Keys as they are written: `smtp.listen`, and `senders[promo]` for an entry that came, went or differs. */
  readonly changed: string[];
  readonly needsRestart: string[];
}

export function diffConfig(old: Config, now: Config): ConfigDiff {
  const diff: ConfigDiff = { changed: [], needsRestart: [] };
  compareSection({ one: schema, prefix: '', reloadable: true }, old, now, diff);
  return diff;
}

interface Compared {
  readonly one: z.core.$ZodType;
  readonly prefix: string;
  /** False when a section above says that it needs a restart. */
  readonly reloadable: boolean;
}

type Values = Readonly<Record<string, unknown>>;

function compareSection(
  { one, prefix, reloadable }: Compared,
  old: object,
  now: object,
  diff: ConfigDiff,
): void {
  for (const [key, inner] of keysOf(one)) {
    const property = propertyOf(key, inner);
    const [before, after] = [(old as Values)[property], (now as Values)[property]];
    if (isDeepStrictEqual(before, after)) continue;
    const path = prefix === '' ? key : `${prefix}.${key}`;
    const reload = reloadable && keyDocs.get(inner)?.reloadable !== false;
    if (unwrap(inner) instanceof z.ZodObject && isObject(before) && isObject(after)) {
      compareSection({ one: inner, prefix: path, reloadable: reload }, before, after, diff);
      continue;
    }
    const changed = changedEntries(before, after).map((name) => `${path}${name}`);
    diff.changed.push(...changed);
    if (!reload) diff.needsRestart.push(...changed);
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

interface Named {
  readonly name: string;
}

const isNamedList = (value: unknown): value is readonly Named[] =>
  Array.isArray(value) && value.every((entry) => typeof (entry as Partial<Named> | null)?.name === 'string');

/** `[n1]` for each entry that differs; `` for the value as a whole, also when only the order differs. */
function changedEntries(before: unknown, after: unknown): string[] {
  if (!isNamedList(before) || !isNamedList(after)) return [''];
  const names = new Set([...before, ...after].map(({ name }) => name));
  const find = (list: readonly Named[], name: string): Named | undefined =>
    list.find((one) => one.name === name);
  const differing = [...names].filter((name) => !isDeepStrictEqual(find(before, name), find(after, name)));
  return differing.length > 0 ? differing.map((name) => `[${name}]`) : [''];
}
