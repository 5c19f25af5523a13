import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import * as z from 'zod';
import { metricsReference } from '../../../src/api/index.ts';
import { formatProblem, generatedFiles, loadConfig, parseConfig } from '../../../src/config/index.ts';
import { childOf, keyDocs, keysOf, unwrap } from '../../../src/config/kind.ts';
import { propertyOf } from '../../../src/config/names.ts';
import { schema } from '../../../src/config/schema.ts';

const directory = join(import.meta.dirname, '../../../config');

/** Every key of the schema with its path; `[]` stands for the entries of a list. */
function* keysBelow(one: z.core.$ZodType, path: string): Generator<readonly [string, z.core.$ZodType]> {
  for (const [name, inner] of keysOf(one)) {
    const at = path === '' ? name : `${path}.${name}`;
    yield [at, inner];
    const element = unwrap(inner) instanceof z.ZodArray ? childOf(inner, 0)! : undefined;
    yield* keysBelow(element ?? inner, element ? `${at}[]` : at);
  }
}

/** What stands below the text of the schema in the same file. */
const BELOW: Readonly<Record<string, string>> = { 'REFERENCE.md': metricsReference() };

describe('texts made from the schema', () => {
  for (const [name, text] of Object.entries(generatedFiles()))
    test(`config/${name} is up to date (else: npm run generate)`, () =>
      assert.equal(readFileSync(join(directory, name), 'utf8'), text + (BELOW[name] ?? '')));

  test('the example loads without errors and warnings', async () => {
    const result = await loadConfig(join(directory, 'postrider.example.yaml'));
    assert.deepEqual(result.ok ? result.value.warnings : result.error.map(formatProblem), []);
  });

  test('the example shows every key, and what it comments out would be read too', () => {
    const lines = generatedFiles()['postrider.example.yaml']!.split('\n');
    for (const [path] of keysBelow(schema, '')) {
      const key = path.slice(path.lastIndexOf('.') + 1);
      assert.ok(
        lines.some((line) => new RegExp(`^[ #-]*${key}:`).test(line)),
        path,
      );
    }
    const all = lines.map((line) =>
      /^ *# +(?:- )?[a-z_]+: *[[{a-z/0-9]/.test(line) ? line.replace('# ', '') : line,
    );
    const result = parseConfig(all.join('\n'), { file: 'all.yaml' });
    const problems = result.ok ? [] : result.error.map(formatProblem);
    assert.deepEqual(
      problems.filter((problem) => /unknown|expected/.test(problem)),
      [],
    );
  });

  test('the JSON Schema knows the required keys and refuses others', () => {
    const json = JSON.parse(generatedFiles()['postrider.schema.json']!) as {
      required: string[];
      additionalProperties: boolean;
      properties: { nodes: { items: { required: string[] } }; senders: { items: { required: string[] } } };
    };
    assert.deepEqual(json.required, ['hostname']);
    assert.equal(json.additionalProperties, false);
    assert.deepEqual(json.properties.nodes.items.required, ['name', 'address', 'hostname']);
    assert.deepEqual(json.properties.senders.items.required, ['name']);
  });
});

test('every key is documented', () => {
  for (const [path, one] of keysBelow(schema, '')) assert.ok(keyDocs.get(one)?.text, path);
});

test('every setting is in the snapshot under the name that its key and unit give', () => {
  const result = parseConfig('hostname: mta1.example.com\n', { file: 'mta.yaml' });
  assert.ok(result.ok);
  const visit = (one: z.core.$ZodType, value: object, path: string): void => {
    for (const [name, inner] of keysOf(one)) {
      const property = propertyOf(name, inner);
      assert.ok(Object.hasOwn(value, property), `${path}${name} -> ${property}`);
      const below = (value as Record<string, unknown>)[property];
      if (unwrap(inner) instanceof z.ZodObject) visit(inner, below as object, `${path}${name}.`);
    }
  };
  visit(schema, result.value.config, '');
});

test('the example is YAML that other readers understand the same way', () => {
  const text = generatedFiles()['postrider.example.yaml']!;
  assert.deepEqual(parse(text, { version: '1.1' }), parse(text));
});
