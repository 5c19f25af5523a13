/** Over the program itself: the keys survive restarts and the death of the process. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { eventually, FROM, receiver, routeTo } from '../support/mta-world.ts';

const NDJSON = 'application/x-ndjson';
const HEADER = {
  from: FROM,
  parts: { from: FROM, subject: 'news', text: 'Hello {{name}}.' },
  idempotency_key: 'spring',
};
const line = (i: number): string => JSON.stringify({ to: `r${i}@to.test`, vars: { name: `Reader ${i}` } });
const batch = (count: number, change: (i: number) => string = line, header: object = HEADER): string =>
  [JSON.stringify(header), ...Array.from({ length: count }, (_, i) => change(i))].join('\n');

interface Last {
  readonly done?: boolean;
  readonly message_id?: string;
  readonly accepted?: number;
  readonly error?: { readonly code: string; readonly message: string };
}
const lastOf = (text: string): Last => JSON.parse(text.trim().split('\n').at(-1)!) as Last;

test('a message is accepted once, whatever happens between two requests', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  const message = {
    envelope: { from: FROM, to: ['a@to.test', 'nobody'] },
    parts: { from: FROM, subject: 's', text: 't' },
    not_before: '1s',
    idempotency_key: 'order-17',
  };
  const send = async (change: object = {}) =>
    mta.api('/v1/messages', { body: JSON.stringify({ ...message, ...change }) });
  const first = await send();
  assert.equal(first.status, 202, first.text);
  const reordered = await mta.api('/v1/messages', {
    body: JSON.stringify(Object.fromEntries(Object.entries(message).reverse())),
  });
  assert.deepEqual([reordered.status, reordered.body], [202, first.body]);
  await mta.kill('SIGKILL');
  await mta.start();
  assert.deepEqual((await send()).body, first.body);
  const other = await send({ parts: { from: FROM, subject: 'other', text: 't' } });
  assert.equal(other.status, 409);
  assert.match(other.text, /"code":"conflict".*idempotency_key: was used for another request/);
  await mta.settled(1);
  assert.equal(ofType(await mta.end(), 'delivered').length, 1);
});

test('kill -9 in the middle of a batch, and resumed: each recipient exactly once', async (t) => {
  const count = 20_000;
  const mta = await Mta.start(t, { nodes: [{ name: 'n1', address: '192.0.2.9', hostname: 'n1.test' }] });
  const cut = request({
    socketPath: mta.socket,
    path: '/v1/batches',
    method: 'POST',
    headers: { 'content-type': NDJSON },
  });
  cut.on('error', () => undefined);
  cut.on('response', (response) => response.on('error', () => undefined).resume());
  cut.write(batch(count));
  await eventually(async () => (await mta.status()).queue.total >= 2_000, 'some lines are committed');
  await mta.kill('SIGKILL');
  await mta.start();
  const before = (await mta.status()).queue.total;
  assert.ok(before < count, 'it was killed in the middle');

  const resumed = await mta.api('/v1/batches', { type: NDJSON, body: batch(count) });
  const { message_id: id, ...done } = lastOf(resumed.text);
  assert.deepEqual(done, { done: true, accepted: count, rejected: 0 });
  const again = lastOf((await mta.api('/v1/batches', { type: NDJSON, body: batch(count) })).text);
  assert.deepEqual(again, { ...done, message_id: id });

  const changed = await mta.api('/v1/batches', {
    type: NDJSON,
    body: batch(10, (i) => (i === 6 ? line(77) : line(i))),
  });
  assert.equal(changed.status, 409, changed.text);
  assert.match(changed.text, /line 8: this line is committed with other content/);
  const header = await mta.api('/v1/batches', {
    type: NDJSON,
    body: batch(9, line, { ...HEADER, group: 'g' }),
  });
  assert.equal(header.status, 409, header.text);

  const accepted = ofType(await mta.events(), 'accepted');
  assert.equal(accepted.length, count);
  assert.equal(new Set(accepted.map(({ recipient }) => recipient)).size, count);
  assert.ok(accepted.every(({ delivery_id: of, recipient }) => of === `${id}.${indexOf(recipient!)}`));
  await mta.end();
});

/** The line after the header has number 2 and index 1. */
const indexOf = (recipient: string): number => Number(/^r(\d+)@/.exec(recipient)![1]) + 1;
