import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, test } from 'node:test';
import { type Fixture, headOf, MESSAGE, startControl, until } from '../unit/api/control-fixture.ts';

const numbers = (lines: readonly Readonly<Record<string, unknown>>[]): unknown[] =>
  lines.map(({ seq }) => seq);

async function inject({ post }: Fixture, campaign: string, recipients = 1): Promise<string> {
  const to = Array.from({ length: recipients }, (_, i) => `u${i}@a.test`);
  const body = { ...MESSAGE, campaign_id: campaign, envelope: { from: 'news@a.test', to } };
  const answer = await post('/v1/messages', body);
  return String(answer.json.message_id);
}

/** Reads a stream until its text passes `done`. */
async function readUntil(response: IncomingMessage, done: (text: string) => boolean): Promise<string> {
  let text = '';
  const chunks = response.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  for await (const chunk of chunks) {
    text += chunk.toString();
    if (done(text)) break;
  }
  return text;
}

describe('events', () => {
  test('after, -N, type, campaign, delivery and limit choose', async (t) => {
    const control = await startControl(t);
    await inject(control, 'c1', 3);
    const id = await inject(control, 'c2', 2);
    await control.queue.announce({ type: 'alert', time: 0, metadata: { campaign_id: 'c2' } });
    const get = async (query: string): Promise<unknown[]> =>
      numbers((await control.get(`/v1/events${query}`)).lines);
    assert.deepEqual(await get(''), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await get('?after=4'), [5, 6]);
    assert.deepEqual(await get('?after=6'), []);
    assert.deepEqual(await get('?after=-2'), [5, 6]);
    assert.deepEqual(await get('?after=-99'), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await get('?campaign_id=c2'), [4, 5]);
    assert.deepEqual(await get('?type=alert'), [6]);
    assert.deepEqual(await get('?type=alert,accepted&limit=2'), [1, 2]);
    assert.deepEqual(await get(`?delivery_id=${id.toUpperCase()}.2`), [5]);
    const { headers } = await control.get('/v1/events');
    assert.equal(headers['postrider-first-seq'], '1');
    assert.equal(headers['postrider-last-seq'], '6');
  });

  test('a number that was not given yet is refused, with the one to go on from', async (t) => {
    const control = await startControl(t);
    await inject(control, 'c1');
    const { status, json } = await control.get('/v1/events?after=99&follow=true');
    const { code, message, details } = json['error'] as Record<string, unknown>;
    assert.deepEqual([status, code, details], [409, 'conflict', { last_seq: 1 }]);
    assert.match(String(message), /the last event is 1: .* ask for after=1$/);
  });

  test('follow goes on with what comes, and keeps the line alive meanwhile', async (t) => {
    const control = await startControl(t, { heartbeatMs: 5 });
    await inject(control, 'c1');
    const sent = control.open('GET', '/v1/events?follow=true&campaign_id=c2');
    sent.on('error', () => undefined);
    sent.end();
    const response = await headOf(sent);
    assert.equal(await readUntil(response, () => true), '\n');
    await inject(control, 'c2');
    const text = await readUntil(response, (read) => read.includes('}\n'));
    assert.equal((JSON.parse(text.trim()) as { seq: number }).seq, 2);
    sent.destroy();
  });

  test('follow from a number gives the past first; limit ends it', async (t) => {
    const control = await startControl(t);
    await inject(control, 'c1', 5);
    const { lines } = await control.get('/v1/events?follow=1&after=2&limit=3');
    assert.deepEqual(numbers(lines), [3, 4, 5]);
  });

  test('the server ends followed streams when it closes', async (t) => {
    const control = await startControl(t);
    const sent = control.open('GET', '/v1/events?follow=true');
    sent.end();
    const response = await headOf(sent);
    const ended = readUntil(response, () => false);
    await control.server.close();
    assert.equal(await ended, '');
    assert.ok(response.complete, 'ended in order, not cut');
  });

  test('a client that goes ends its stream', async (t) => {
    const control = await startControl(t);
    const reads = t.mock.method(control.queue.state.journal, 'lines');
    const sent = control.open('GET', '/v1/events?follow=true');
    sent.on('error', () => undefined);
    sent.end();
    await headOf(sent);
    await inject(control, 'c1');
    await until(() => reads.mock.callCount() >= 2, 'the event is read');
    sent.destroy();
    // The server notices by the next answer it gives to anybody.
    await control.get('/healthz');
    const before = reads.mock.callCount();
    await inject(control, 'c1');
    await control.get('/healthz');
    assert.equal(reads.mock.callCount(), before);
  });

  test('a reader that does not read makes only its own stream wait', async (t) => {
    const control = await startControl(t);
    const count = 20_000;
    for (let i = 0; i < 10; i++) await inject(control, 'c1', count / 10);
    const reads = t.mock.method(control.queue.state.journal, 'lines');
    const sent = control.open('GET', '/v1/events?after=0');
    sent.end();
    const response = await headOf(sent);
    await until(() => reads.mock.callCount() >= 2, 'the journal is being read');
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
    const paused = reads.mock.callCount();
    assert.ok(paused < 30, `${paused} slices were read for a reader that reads nothing`);
    assert.equal((await control.get('/v1/events?after=-1')).lines.length, 1);
    const text = await readUntil(response, () => false);
    assert.equal(text.split('\n').length - 1, count);
    assert.ok(reads.mock.callCount() > 60);
  });
});
