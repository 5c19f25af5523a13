/** The document is valid for an independent linter, complete, and its examples work. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { type Call, CALLS, openApiText } from '../../../src/api/index.ts';
import { EXAMPLE_MESSAGE } from '../../../src/api/calls-look-up.ts';
import { type Answer, finish, type Fixture, MESSAGE, startControl } from './control-fixture.ts';

const SOURCES = join(import.meta.dirname, '../../../src/api');

describe('the OpenAPI document', () => {
  test('is valid for an independent linter', async () => {
    const config = await createConfig({
      extends: ['recommended'],
      rules: { 'no-server-example.com': 'off' },
    });
    const problems = await lintFromString({ source: openApiText(), config });
    // The one server there is has no name: it is a socket.
    const told = problems.filter(({ ruleId }) => ruleId !== 'no-server-example.com');
    assert.deepEqual(
      told.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ''}`),
      [],
    );
  });

  test('has calls of the server only, each once', (t) => {
    const described = CALLS.map(({ method, path }) => `${method} ${path}`);
    const routes = routesOfSources();
    const absent = described.filter((call) => !routes.includes(call));
    assert.deepEqual(absent, [], 'the server does not have these calls');
    const missing = routes.filter((route) => !described.includes(route));
    for (const route of missing) t.diagnostic(`${route} is not described: add it to src/api/calls-*.ts`);
    assert.equal(new Set(CALLS.map(({ id }) => id)).size, CALLS.length);
  });

  test('is what the server answers', async (t) => {
    const control = await startControl(t);
    const { status, text } = await control.get('/v1/openapi.json');
    assert.deepEqual([status, text], [200, openApiText()]);
  });
});

describe('each example is a request that works', () => {
  for (const call of CALLS)
    test(`${call.method} ${call.path}`, async (t) => {
      const control = await withMessage(t);
      const { status, lines, json, text } = await run(control, call);
      assert.equal(status, call.answer.status, text);
      const answers = call.answer.lines ? lines : [json];
      assert.ok(answers.length > 0, 'it shows something');
      for (const one of answers) {
        const fits = call.answer.schema.safeParse(one);
        assert.ok(fits.success, `${JSON.stringify(one)}: ${fits.error?.message}`);
      }
    });
});

/** A server with one message, whose id the examples name. */
async function withMessage(t: TestContext): Promise<Fixture> {
  const control = await startControl(t);
  const { json, text } = await control.post('/v1/messages', MESSAGE);
  assert.equal(json['message_id'], EXAMPLE_MESSAGE, text);
  return control;
}

function run(control: Fixture, { method, path, example }: Call): Promise<Answer> {
  let target = path;
  for (const [name, value] of Object.entries(example.params ?? {}))
    target = target.replace(`:${name}`, value);
  if (example.query) target += `?${new URLSearchParams(toText(example.query)).toString()}`;
  if (example.lines) {
    const body = example.lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    return control.post(target, body, 'application/x-ndjson');
  }
  return example.body ? control.post(target, example.body) : finish(control.open(method, target));
}

const toText = (query: Readonly<Record<string, string | number>>): Record<string, string> =>
  Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));

/** Routes below /v1 as they stand in the sources. */
function routesOfSources(): string[] {
  return readdirSync(SOURCES)
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [
      ...readFileSync(join(SOURCES, name), 'utf8').matchAll(
        /\bapp\.(get|post|delete)\(\s*['`](\/v1\/[^'`$]*)['`]/g,
      ),
    ])
    .map(([, method, path]) => `${method!.toUpperCase()} ${path!}`);
}
