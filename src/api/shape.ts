/** Checks a body, query or line against its schema; all problems at once, each with its field and what to write. */
import { distance } from 'fastest-levenshtein';
import * as z from 'zod';
import { err, ok, type Result } from '../core/index.ts';
import { type FieldProblem, invalid, type Refused } from './refused.ts';

type Issue = z.core.$ZodIssue;
/** Problems told of one request at most. */
const TOLD = 20;

export function check<T>(schema: z.ZodType<T>, value: unknown): Result<T, readonly FieldProblem[]> {
  const result = schema.safeParse(value);
  if (result.success) return ok(result.data);
  const problems = result.error.issues.slice(0, TOLD).flatMap((issue) => problemsOf(issue, value, schema));
  return err(problems.slice(0, TOLD));
}

export function checkRequest<T>(schema: z.ZodType<T>, value: unknown): Result<T, Refused> {
  const result = check(schema, value);
  return result.ok ? result : err(invalid(result.error));
}

/** `parts.attachments[0].filename` */
export function fieldName(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}

function problemsOf(issue: Issue, value: unknown, schema: z.ZodType): FieldProblem[] {
  if (issue.code !== 'unrecognized_keys')
    return [{ field: fieldName(issue.path), message: messageOf(issue, value) }];
  return issue.keys.slice(0, TOLD).map((key) => ({
    field: fieldName([...issue.path, key]),
    message: `unknown field${instead(key, keysAt(schema, issue.path))}`,
  }));
}

function messageOf(issue: Issue, value: unknown): string {
  if (issue.code === 'invalid_type') {
    const found = valueAt(value, issue.path);
    if (!issue.message.startsWith('Invalid input')) return issue.message;
    return found === undefined
      ? 'is missing'
      : `expected ${article(JSON_WORDS[issue.expected] ?? issue.expected)}, got ${kindOf(found)}`;
  }
  if (issue.code === 'invalid_value' && issue.message.startsWith('Invalid option')) {
    const found = valueAt(value, issue.path);
    const near = typeof found === 'string' ? instead(found, issue.values.map(String)) : '';
    return `expected one of ${issue.values.map(String).join(', ')}${near}`;
  }
  return issue.message;
}

/** The schema library's words for what JSON calls otherwise. */
const JSON_WORDS: Readonly<Record<string, string>> = { record: 'object', array: 'list' };

const article = (word: string): string => (/^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`);

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : article(typeof value);
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const step of path) {
    // A list in a query string is one text.
    const holder = typeof value === 'string' ? value.split(',') : value;
    if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, step)) return undefined;
    value = (holder as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** The keys an object schema knows at a path through objects. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let at: unknown = schema;
  for (const step of path) {
    at = unwrap(at);
    at = typeof step === 'number' ? (at as { element?: unknown }).element : shapeOf(at)[String(step)];
  }
  return Object.keys(shapeOf(unwrap(at)));
}

const shapeOf = (schema: unknown): Readonly<Record<string, unknown>> =>
  schema instanceof z.ZodObject ? schema.shape : {};
const unwrap = (schema: unknown): unknown =>
  schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? unwrap(schema.unwrap()) : schema;

/** `, did you mean "sender"?` when one of the words is near. */
export function instead(word: string, known: readonly string[]): string {
  const near = known
    .map((name) => ({ name, away: distance(word.slice(0, 100).toLowerCase(), name.toLowerCase()) }))
    .filter(({ away }) => away <= Math.max(word.length > 3 ? 2 : 1, Math.floor(word.length / 3)))
    .sort((a, b) => a.away - b.away)[0];
  return near === undefined ? '' : `, did you mean "${near.name}"?`;
}
