/** What an issue of zod means, in a sentence for the person who wrote the file. */
import type * as z from 'zod';
import { childOf, expectations, keyDocs, keysOf, MISSING, plannedKeys, unwrap } from './kind.ts';
import { describe } from './kinds.ts';
import { nearest, type Path } from './problem.ts';
import type { Report } from './report.ts';
import { schema } from './schema.ts';

export type Issue = z.core.$ZodIssue;

/** More keys than that in one sentence are of no help. */
const READABLE = 15;

/** Reports an issue of the value at `base`. */
export function reportIssue(issue: Issue, base: Path, report: Report): void {
  const path = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))];
  if (issue.code === 'unrecognized_keys') for (const key of issue.keys) reportUnknownKey(key, path, report);
  else report.error(path, messageOf(issue, path, report));
}

export function reportUnknownKey(key: string, parent: Path, report: Report): void {
  const section = schemaAt(parent);
  const path = [...parent, key];
  const planned = section && plannedKeys.get(unwrap(section))?.keys.includes(key);
  if (planned === true) {
    // A null says the same as leaving it out.
    if (report.sources.at(path) !== null)
      report.error(path, `"${key}" is not supported in this version: remove it`, 'key');
    return;
  }
  const known = section ? keysOf(section).map(([name]) => name) : [];
  const near = nearest(key, known);
  const all =
    known.length > READABLE ? 'config/REFERENCE.md lists the keys' : `possible here are ${known.join(', ')}`;
  const end = near === undefined ? `: ${all}` : `, did you mean "${near}"?`;
  report.error(path, `unknown key "${key}"${end}`, 'key');
}

function schemaAt(path: Path): z.core.$ZodType | undefined {
  let one: z.core.$ZodType | undefined = schema;
  for (const step of path) one = one && childOf(one, step);
  return one;
}

function messageOf(issue: Issue, path: Path, report: Report): string {
  const found = report.sources.at(path);
  const one = schemaAt(path);
  const absent = found === undefined || found === null;
  if (absent && (issue.code !== 'custom' || issue.message === MISSING)) return missingMessage(path, one);
  if (issue.code === 'invalid_union') {
    const wanted = one && expectations.get(unwrap(one))?.text;
    return `expected ${wanted ?? 'default or conditions such as {to_domain: [gmail.com]}'}, got ${describe(found)}`;
  }
  if (issue.code !== 'invalid_type') return issue.message;
  if (issue.expected === 'array') {
    const isWord = typeof found === 'string' || typeof found === 'number';
    const write = isWord ? `[${found}]` : '[...], or one entry per line with "- "';
    return `expected a list, got ${describe(found)}: write ${write}`;
  }
  const keys = one ? keysOf(one).map(([name]) => name) : [];
  const what = keys.length > 0 ? `keys (${keys.join(', ')})` : 'keys and values';
  return `expected ${what}, got ${describe(found)}`;
}

function missingMessage(path: Path, one: z.core.$ZodType | undefined): string {
  const key = path.at(-1);
  const example = one && keyDocs.get(one)?.example;
  if (typeof key === 'number') return 'the entry is empty: remove it or fill it in';
  return example === undefined ? 'missing' : `missing: write ${key}: ${inline(example)}`;
}

/** A value in one line of YAML. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const pairs = Object.entries(value).map(([key, one]) => `${key}: ${inline(one)}`);
  return `{${pairs.join(', ')}}`;
}
