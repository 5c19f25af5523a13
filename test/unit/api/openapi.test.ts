/** The document is valid for an independent linter, complete, and its examples work. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { fastify } from 'fastify';
import { type Call, CALLS, openApiText } from '../../../src/api/index.ts';
import { addControlRoutes } from '../../../src/api/server.ts';
import { EXAMPLE_KEPT_MAIL } from '../../../src/api/calls-report-quarantine.ts';
import { EXAMPLE_MESSAGE } from '../../../src/api/calls-look-up.ts';
import { type Answer, finish, type Fixture, MESSAGE, startControl } from './control-fixture.ts';

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

  test('has every call of the server, each once', async (t) => {
    const { deps } = await startControl(t);
    const app = fastify({ exposeHeadRoutes: false });
    const routes: string[] = [];
    app.addHook('onRoute', ({ method, url }) => {
      if (url.startsWith('/v1/')) routes.push(`${String(method)} ${url}`);
    });
    addControlRoutes(app, { deps, closing: new AbortController().signal });
    const described = CALLS.map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(described.toSorted(), routes.toSorted());
    assert.equal(new Set(CALLS.map(({ id }) => id)).size, CALLS.length);
  });

  test('names the action of each call that steers something', () => {
    for (const { method, scope, action, id } of CALLS)
      assert.equal(action !== undefined, method !== 'GET' && scope !== 'inject', id);
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
      const answers = call.answer.lines ? lines : [call.answer.type ? text : json];
      assert.ok(answers.length > 0, 'it shows something');
      for (const one of answers) {
        const fits = call.answer.schema.safeParse(one);
        assert.ok(fits.success, `${JSON.stringify(one)}: ${fits.error?.message}`);
      }
    });
});

/** A server with one message, one mail in the quarantine and one job, whose ids the examples name. */
async function withMessage(t: TestContext): Promise<Fixture> {
  const control = await startControl(t);
  const { json, text } = await control.post('/v1/messages', MESSAGE);
  assert.equal(json['message_id'], EXAMPLE_MESSAGE, text);
  assert.equal(await quarantine(control), EXAMPLE_KEPT_MAIL);
  await control.post('/v1/queue/hold', { campaign_id: 'autumn' });
  await control.post('/v1/campaigns/limited/limits', { per_start: 10 });
  return control;
}

/** Puts a mail into the quarantine and gives its id. */
async function quarantine({ queue, clock }: Fixture): Promise<string> {
  const raw = Buffer.from('Subject: no report\r\n\r\n');
  const [at, bytes] = [clock.now(), raw.length];
  const mail = { from: '', to: ['any@bounce.test'], peer: '192.0.2.9', helo: 'far.test', at, bytes };
  await queue.inbox.store(queue.nextNumber(), mail, raw);
  const report = { kind: 'other' };
  const rejected = { kind: 'rejected', reason: 'not_a_report', at, report, keep: 1_000 } as const;
  await queue.inbox.conclude(queue.inbox.next(0, 1)[0]!, rejected);
  return queue.inbox.quarantined(1)[0]!.id;
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
  if (!example.body) return finish(control.open(method, target));
  const body = JSON.stringify(example.body);
  const length = String(Buffer.byteLength(body));
  const head = { 'content-type': 'application/json', 'content-length': length };
  return finish(control.open(method, target, head), body);
}

const toText = (query: Readonly<Record<string, string | number>>): Record<string, string> =>
  Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
