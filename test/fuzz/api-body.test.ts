/** Whatever the body, line or query: no 500, no crash, no hang; and what is answered as bad was not accepted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MESSAGE, startControl } from '../unit/api/control-fixture.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 200);
const NDJSON = 'application/x-ndjson';

/** A valid object with some of its fields replaced, removed or added. */
const mutated = (valid: object): fc.Arbitrary<object> =>
  fc
    .array(
      fc.tuple(fc.constantFrom(...Object.keys(valid), '__proto__', 'constructor', 'x'), fc.jsonValue()),
      {
        maxLength: 3,
      },
    )
    .map((changes): object => Object.fromEntries([...Object.entries(valid), ...changes]));

const FULL = {
  ...MESSAGE,
  content_encoding: 'utf-8',
  sender: 's',
  group: 'g',
  band: 'geo',
  deadline: '2h',
  not_before: '1h',
  expires: '2026-06-01T00:00:00Z',
  test: true,
  copies: [{ to: 'seed@a.test', first: 2 }],
  metadata: { a: 1 },
};
const body: fc.Arbitrary<string | Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.json(),
  mutated(FULL).map((value) => JSON.stringify(value)),
);
const allowed = (status: number): boolean => status < 500 && status !== 0;

test('POST /v1/messages', async (t) => {
  const control = await startControl(t);
  await fc.assert(
    fc.asyncProperty(body, async (sent) => {
      const before = control.queue.state.counters.sum().accepted;
      const answer = await control.post('/v1/messages', sent);
      assert.ok(allowed(answer.status), answer.text);
      const accepted = control.queue.state.counters.sum().accepted - before;
      assert.equal(accepted > 0, answer.status === 202);
    }),
    { numRuns: RUNS },
  );
  assert.deepEqual(control.logged, []);
});

test('POST /v1/batches: each line is accepted or rejected', async (t) => {
  const control = await startControl(t);
  const header = { from: 'a@a.test', content: 'x' };
  const line = fc.oneof(
    fc.json().map((text) => text.replaceAll('\n', ' ')),
    mutated({ to: 'u@a.test', vars: { a: 1 }, metadata: {}, not_before: '1h', deadline: '2h' }).map((value) =>
      JSON.stringify(value),
    ),
    fc.string({ maxLength: 50 }).map((text) => text.replaceAll(/[\r\n]/g, ' ')),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 20 }), async (lines) => {
      const sent = [JSON.stringify(header), ...lines].join('\n');
      const answer = await control.post('/v1/batches', sent, NDJSON);
      assert.equal(answer.status, 200, answer.text);
      const { done, accepted, rejected } = answer.lines.at(-1)!;
      assert.equal(done, true);
      const written = lines.filter((text) => /[^ \t\r]/.test(text)).length;
      assert.equal(Number(accepted) + Number(rejected), written);
    }),
    { numRuns: RUNS },
  );
  assert.deepEqual(control.logged, []);
});

test('POST /v1/batches with any header', async (t) => {
  const control = await startControl(t);
  const { envelope: _, ...fields } = FULL;
  const growth = { from: '10/1m', percent: 50, every: '1h' };
  const limits = { rate: '100/1m', per_start: 5, growth };
  const valid = { ...fields, from: 'a@a.test', campaign_id: 'c1' };
  const header = fc.oneof(
    body,
    mutated(limits).map((changed) => JSON.stringify({ ...valid, limits: changed })),
    mutated({ ...valid, limits }).map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(header, async (sent) => {
      const answer = await control.post('/v1/batches', sent, NDJSON);
      assert.ok(allowed(answer.status), answer.text);
    }),
    { numRuns: RUNS },
  );
  assert.equal(control.injector.opened, control.injector.closed);
  assert.deepEqual(control.logged, []);
});

test('queries and paths', async (t) => {
  const control = await startControl(t);
  const path = fc.constantFrom(
    '/v1/messages/',
    '/v1/deliveries/',
    '/v1/',
    '/',
    '/v1/deliveries?',
    '/v1/queue?',
    '/v1/events?',
  );
  const names = [
    'limit',
    'after',
    'type',
    'state',
    'recipient',
    'campaign_id',
    'cursor',
    'group_by',
    'delivery_id',
  ];
  const query = fc
    .array(fc.tuple(fc.constantFrom(...names), fc.string({ maxLength: 20 })), { maxLength: 3 })
    .map((pairs) => new URLSearchParams(pairs).toString());
  const rest = fc.oneof(
    query,
    fc.webPath(),
    fc.string({ maxLength: 30, unit: 'binary' }).map((text) => encodeURIComponent(text.toWellFormed())),
    fc.stringMatching(/^[%a-f0-9/]{0,20}$/),
  );
  await fc.assert(
    fc.asyncProperty(path, rest, async (start, end) => {
      const answer = await control.get(start + end);
      assert.ok(allowed(answer.status), `${start}${end}: ${answer.text}`);
    }),
    { numRuns: RUNS },
  );
  assert.deepEqual(control.logged, []);
});
