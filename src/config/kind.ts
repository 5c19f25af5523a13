/**
 * The bridge between our units and zod. A `Spec` reads one YAML value of a kind (duration, address, choice) and says in
 * one sentence what is wrong with it and what to write; `leaf` makes a zod schema of it. Every key carries a `KeyDoc`,
 * from which the reference, the example and the reload rules are made.
 */
import * as z from 'zod';
import { err, ok, type Result } from '../core/index.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface LeafKind {
  /** What the reference calls it: `duration`, `host:port`. */
  readonly label: string;
  /** Unit of the value in the snapshot, and the end of its name there. */
  readonly suffix?: 'Ms' | 'Bytes';
  readonly json: JsonSchema;
}

export interface Spec<T> {
  readonly kind: LeafKind;
  /** Never sees undefined. The error is one sentence without the key's name. */
  readonly read: (value: unknown) => Result<T, string>;
}

export interface KeyDoc {
  readonly text: string;
  /** Version that first had the key. */
  readonly since: string;
  /** False: a changed value is used only after a restart. */
  readonly reloadable: boolean;
  /** What the example shows, where the default would not tell much. */
  readonly example?: unknown;
  /** The example shows the key commented out (a file that may be missing, a rarely wanted choice). */
  readonly off?: boolean;
}

export const leafKinds = z.registry<LeafKind>();
export const keyDocs = z.registry<KeyDoc>();
/** Keys the documentation promises for a later version: refused, but not called unknown. */
export const plannedKeys = z.registry<{ readonly keys: readonly string[] }>();

/** What a value of several kinds may be, in words for a message. */
export const expectations = z.registry<{ readonly text: string }>();

/** Message of a required key that is absent; the reader adds an example. */
export const MISSING = 'missing';

export function leaf<T>(spec: Spec<T>) {
  return z
    .unknown()
    .transform((value, context): T => {
      const result = value === undefined ? err(MISSING) : spec.read(value);
      if (result.ok) return result.value;
      context.issues.push({ code: 'custom', message: result.error, input: value });
      return z.NEVER;
    })
    .register(leafKinds, spec.kind);
}

/** A map with these keys and no others. */
export function section<S extends z.core.$ZodLooseShape>(shape: S, planned: readonly string[] = []) {
  return z.strictObject(shape).register(plannedKeys, { keys: planned });
}

/** Attaches the documentation of a key to its schema. Every key was born with the first version so far. */
export function key<T extends z.ZodType>(schema: T, text: string, more: Partial<KeyDoc> = {}): T {
  keyDocs.add(schema, { since: '0.1.0', reloadable: true, ...more, text });
  return schema;
}

/** A value that may be null, where null means something else than the default. */
export function orNull<T>(spec: Spec<T>): Spec<T | null> {
  return {
    kind: { ...spec.kind, json: { anyOf: [spec.kind.json, { type: 'null' }] } },
    read: (value) => (value === null ? ok(null) : spec.read(value)),
  };
}

/** One value or a list of them; a list comes out. */
export function oneOrMany<T>(spec: Spec<T>): Spec<readonly T[]> {
  return {
    kind: {
      label: `${spec.kind.label}, or a list`,
      json: { anyOf: [spec.kind.json, { type: 'array', items: spec.kind.json }] },
    },
    read(value) {
      const values: T[] = [];
      for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
        const result = spec.read(item);
        if (!result.ok) return result;
        values.push(result.value);
      }
      return values.length > 0
        ? ok(values)
        : err(`expected at least one ${spec.kind.label}, got an empty list`);
    },
  };
}

/** The schema under defaults and options. */
export function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  for (;;) {
    if (inner instanceof z.ZodPrefault || inner instanceof z.ZodDefault || inner instanceof z.ZodOptional)
      inner = inner.def.innerType;
    else return inner;
  }
}

/** The schema of a key or list position inside `schema`, or undefined where there is none. */
export function childOf(schema: z.core.$ZodType, step: string | number): z.core.$ZodType | undefined {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) return inner.element;
  if (inner instanceof z.ZodRecord) return inner.valueType;
  if (inner instanceof z.ZodUnion) {
    const section = inner.options.find((option) => option instanceof z.ZodObject);
    return section && childOf(section, step);
  }
  if (inner instanceof z.ZodObject && typeof step === 'string' && Object.hasOwn(inner.shape, step))
    return (inner.shape as Readonly<Record<string, z.core.$ZodType>>)[step];
  return undefined;
}

/** Keys of a section in the order they were written; empty for anything else. */
export function keysOf(schema: z.core.$ZodType): readonly (readonly [string, z.core.$ZodType])[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap(keysOf);
  return inner instanceof z.ZodObject ? Object.entries(inner.shape) : [];
}
