/**
 * From the tree of values to a typed draft. zod refuses a value as a whole, so what it refuses is reported, cut out and
 * the rest read again, entry by entry: the checks between entries then still see all that is right, and all problems
 * come at once. A null where null has no meaning counts as left out (`tls: { cert_file: }`).
 */
import * as z from 'zod';
import type { Draft } from './draft.ts';
import { childOf, unwrap } from './kind.ts';
import type { Path } from './problem.ts';
import { reportIssue, reportUnknownKey, type Issue } from './read-issue.ts';
import type { Report } from './report.ts';
import { lists, settings } from './schema.ts';
import type { Tree } from './source.ts';

/** Reads the whole tree and reports everything that does not fit the schema. */
export function readDraft(root: Tree, report: Report): Draft {
  const reader = new Reader(report);
  for (const key of Object.keys(root))
    if (!Object.hasOwn(settings, key) && !Object.hasOwn(lists, key)) reportUnknownKey(key, [], report);
  const read = ([key, one]: [string, z.core.$ZodType]): [string, unknown] => [
    key,
    reader.read(one, root[key], [key]),
  ];
  const values = Object.fromEntries(Object.entries<z.ZodType>(settings).map(read));
  const entries = Object.fromEntries(Object.entries<z.ZodType>(lists).map(read));
  // Only the host name has neither a value nor a default when it was refused.
  values.hostname ??= '';
  const at = (entry: object, ...inside: Path): Path => [...(reader.paths.get(entry) ?? []), ...inside];
  return { settings: values, lists: entries, at } as unknown as Draft;
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSection = (one: z.core.$ZodType | undefined): boolean =>
  one !== undefined && unwrap(one) instanceof z.ZodObject;

/** Whether a value is read piece by piece: a section, or a list whose entries are sections. */
function isNested(one: z.core.$ZodType, raw: unknown): boolean {
  if (isTree(raw)) return isSection(one);
  return Array.isArray(raw) && unwrap(one) instanceof z.ZodArray && isSection(childOf(one, 0));
}

class Reader {
  readonly paths = new WeakMap<object, Path>();
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** The value, or what is left of it; undefined when nothing is. */
  read(one: z.core.$ZodType, raw: unknown, path: Path): unknown {
    if (!isNested(one, raw)) return this.#parse(one, raw, path);
    return Array.isArray(raw) ? this.#readEntries(one, raw, path) : this.#readSection(one, raw as Tree, path);
  }

  #readEntries(list: z.core.$ZodType, raw: readonly unknown[], path: Path): unknown[] {
    const element = childOf(list, 0)!;
    return raw.flatMap((item, index) => {
      const entry = this.read(element, item, [...path, index]);
      if (typeof entry !== 'object' || entry === null) return [];
      this.paths.set(entry, [...path, index]);
      return [entry];
    });
  }

  #readSection(one: z.core.$ZodType, raw: Tree, path: Path): unknown {
    const own: Tree = Object.create(null) as Tree;
    const nested: [string, unknown][] = [];
    for (const [key, value] of Object.entries(raw)) {
      const child = childOf(one, key);
      if (child && isNested(child, value)) nested.push([key, this.read(child, value, [...path, key])]);
      else own[key] = value;
    }
    const section = this.#parse(one, own, path);
    if (isTree(section)) for (const [key, value] of nested) if (value !== undefined) section[key] = value;
    return section;
  }

  /** Parses with zod, reports what it refuses, and gives what is left without that. */
  #parse(one: z.core.$ZodType, raw: unknown, path: Path): unknown {
    const holder: { value: unknown } = { value: structuredClone(raw) };
    let result = z.safeParse(one, holder.value);
    if (result.success) return result.data;
    for (const issue of flatten(result.error.issues))
      if (isUnset(holder.value, issue.path)) cut(holder, issue.path);
    result = z.safeParse(one, holder.value);
    if (!result.success)
      for (const issue of flatten(result.error.issues)) reportIssue(issue, path, this.#report);
    for (let round = 0; round < MAX_ROUNDS && !result.success; round++) {
      for (const issue of flatten(result.error.issues)) cutIssue(holder, issue, round);
      result = z.safeParse(one, holder.value);
    }
    return result.success ? result.data : undefined;
  }
}

const MAX_ROUNDS = 6;

/** A key without a value; an empty entry of a list is a mistake instead. */
const isUnset = (root: unknown, path: readonly PropertyKey[]): boolean =>
  typeof path.at(-1) !== 'number' && valueAt(root, path) === null;

/** A union is either a word or a section here: when a map was written, the section's issues are the ones to tell. */
function flatten(issues: readonly Issue[]): Issue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union') return [issue];
    const inside = (one: Issue): boolean => one.path.length > 0 || one.code === 'unrecognized_keys';
    const branch = issue.errors.find((one) => one.length > 0 && one.every(inside));
    return branch ? flatten(branch.map((one) => ({ ...one, path: [...issue.path, ...one.path] }))) : [issue];
  });
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

interface Holder {
  value: unknown;
}

/** Cuts out what an issue is about; each round that did not help cuts one level more around it. */
function cutIssue(holder: Holder, issue: Issue, round: number): void {
  if (issue.code === 'unrecognized_keys') for (const key of issue.keys) cut(holder, [...issue.path, key]);
  else cut(holder, issue.path.slice(0, Math.max(0, issue.path.length - round)));
}

/** Removes a key; an item of a list goes with its whole list, because the positions of the others must stay. */
function cut(holder: Holder, path: readonly PropertyKey[]): void {
  let length = path.length;
  while (length > 0 && typeof path[length - 1] === 'number') length--;
  if (length === 0) {
    holder.value = undefined;
    return;
  }
  const parent = valueAt(holder.value, path.slice(0, length - 1));
  if (typeof parent === 'object' && parent !== null) Reflect.deleteProperty(parent, path[length - 1]!);
}
