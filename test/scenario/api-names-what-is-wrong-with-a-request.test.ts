import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Answer, MESSAGE, startControl } from '../unit/api/control-fixture.ts';

interface ErrorJson {
  readonly code: string;
  readonly message: string;
  readonly details?: readonly { readonly field: string; readonly message: string }[];
}
const errorOf = (answer: Answer): ErrorJson => answer.json.error as ErrorJson;

describe('errors of the control API', () => {
  test('each problem of a body is named with its field', async (t) => {
    const { post } = await startControl(t);
    const answer = await post('/v1/messages', {
      ...MESSAGE,
      envelope: { from: 1, to: ['a@a.test'] },
      band: 'x',
    });
    assert.equal(answer.status, 400);
    assert.equal(errorOf(answer).code, 'invalid_request');
    assert.deepEqual(
      errorOf(answer).details?.map(({ field }) => field),
      ['envelope.from', 'band'],
    );
  });

  test('JSON lines are a body of batches alone', async (t) => {
    const { post, lines } = await startControl(t);
    for (const path of ['/v1/messages', '/v1/queue/hold', '/v1/nodes/n1/drain', '/v1/config/reload']) {
      const answer = await post(path, { all: true }, 'application/x-ndjson');
      assert.equal(answer.status, 415, path);
      assert.match(errorOf(answer).message, /application\/json/);
    }
    assert.deepEqual(lines, [], 'no error of the server');
  });

  test('bad ids are 400, unknown ones 404', async (t) => {
    const { get } = await startControl(t);
    for (const path of ['/v1/messages/x', '/v1/deliveries/0123456789a', '/v1/deliveries/0123456789a.0'])
      assert.equal((await get(path)).status, 400, path);
    for (const path of ['/v1/messages/0123456789a', '/v1/deliveries/0123456789a.1']) {
      const answer = await get(path);
      assert.equal(answer.status, 404, path);
      assert.match(errorOf(answer).message, /is queued or in the history/);
    }
  });

  test('bad queries are 400', async (t) => {
    const { get } = await startControl(t);
    for (const path of [
      '/v1/deliveries?state=gone',
      '/v1/deliveries?limit=0',
      '/v1/deliveries?cursor=x',
      '/v1/queue?group_by=isp,ip',
      '/v1/queue?by=isp',
      '/v1/events?after=x',
      '/v1/events?type=deliverd',
      '/v1/events?follow=maybe',
      '/v1/status?x=1',
    ]) {
      const answer = await get(path);
      assert.equal(answer.status, 400, path);
      assert.notEqual(errorOf(answer).details?.[0]?.field, '', path);
    }
  });

  test('an unknown path names near ones, a wrong method the right one', async (t) => {
    const { get, post } = await startControl(t);
    const unknown = await get('/v1/delivery/0123456789a.1');
    assert.equal(unknown.status, 404);
    assert.match(errorOf(unknown).message, /near: GET \/v1\/deliveries/);
    const wrong = await post('/v1/status', {});
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.allow, 'GET');
  });

  test('what is not JSON, not UTF-8 or of another type is said so', async (t) => {
    const { post } = await startControl(t);
    const notJson = await post('/v1/messages', '{"envelope":');
    assert.equal(notJson.status, 400);
    assert.match(errorOf(notJson).message, /the body is not JSON/);
    const notText = await post('/v1/messages', Buffer.from([0x22, 0xff, 0x22]));
    assert.match(errorOf(notText).message, /the body is not UTF-8/);
    const form = await post('/v1/messages', 'a=1', 'application/x-www-form-urlencoded');
    assert.equal(form.status, 415);
    const empty = await post('/v1/messages', '');
    assert.equal(empty.status, 400);
    const batch = await post('/v1/batches', '{}', 'application/json');
    assert.equal(batch.status, 415);
  });

  test('a body over the limit is 413, of messages later than of others', async (t) => {
    const { post } = await startControl(t, { maxMessageBytes: 1024 * 1024 });
    const padding = (bytes: number): string => JSON.stringify({ ...MESSAGE, x: 'a'.repeat(bytes) });
    assert.equal(
      (await post('/v1/messages', padding(2_400_000))).status,
      400,
      'read, and refused for its field',
    );
    assert.equal((await post('/v1/messages', padding(2_600_000))).status, 413);
    assert.equal((await post('/v1/config/reload', padding(1_100_000))).status, 413);
  });

  test('a full queue and a store that refuses are 503, to be tried again', async (t) => {
    const control = await startControl(t);
    const batch = '{"from":"a@a.test","content":"x"}\n{"to":"b@b.test"}\n';
    control.injector.unavailable = true;
    for (const answer of [
      await control.post('/v1/messages', MESSAGE),
      await control.post('/v1/batches', batch, 'application/x-ndjson'),
    ]) {
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['retry-after'], '5');
      assert.equal(errorOf(answer).message, 'the queue is full');
    }
    control.injector.unavailable = false;
    control.injector.broken = new Error('ENOSPC');
    for (const answer of [
      await control.post('/v1/messages', MESSAGE),
      await control.post('/v1/batches', batch, 'application/x-ndjson'),
    ]) {
      assert.equal(answer.status, 503);
      assert.equal(errorOf(answer).code, 'unavailable');
      assert.ok(!answer.text.includes('ENOSPC'), 'the inside stays inside');
      const named = control.lines.map(({ details }) => (details as { request?: string }).request);
      assert.ok(named.includes(String(answer.headers['x-request-id'])), 'the log names the request');
    }
    assert.equal(control.logged.filter(({ level }) => level === 'error').length, 2);
  });

  test('a fault of our own is 500, logged, without its text', async (t) => {
    const control = await startControl(t);
    t.mock.method(control.egress, 'nodes', () => {
      throw new Error('secret');
    });
    const answer = await control.get('/v1/nodes');
    assert.equal(answer.status, 500);
    assert.ok(!answer.text.includes('secret'));
    assert.deepEqual(control.logged, [{ level: 'error', text: 'a request failed unexpectedly' }]);
    const id = answer.headers['x-request-id'];
    assert.equal((control.lines.at(-1)!.details as { request?: string }).request, id);
    assert.ok(answer.text.includes(`under request ${String(id)}`), 'who asked can name it');
    assert.notEqual((await control.get('/v1/status')).headers['x-request-id'], id);
  });

  test('the log of such a fault names no recipient that was asked for', async (t) => {
    const control = await startControl(t);
    t.mock.method(control.egress, 'path', () => {
      throw new Error('secret');
    });
    const answer = await control.get('/v1/explain?recipient=person@gmail.com&sender=promo');
    assert.equal(answer.status, 500, answer.text);
    assert.equal((control.lines.at(-1)!.details as { url?: string }).url, '/v1/explain');
    assert.ok(!JSON.stringify(control.lines).includes('person'));
  });

  test('what the store does not take of an operator is logged with the request', async (t) => {
    const control = await startControl(t);
    const broken = (): Promise<never> => Promise.reject(new Error('ENOSPC'));
    t.mock.method(control.queue.operations, 'submit', broken);
    t.mock.method(control.queue.stopList, 'add', broken);
    t.mock.method(control.egress.campaigns, 'set', broken);
    for (const [path, body] of [
      ['/v1/queue/hold', { all: true }],
      ['/v1/stop-list', { entries: [{ address: 'a@b.test' }] }],
      ['/v1/campaigns/c1/limits', { rate: '1/1m' }],
    ] as const) {
      const answer = await control.post(path, body);
      assert.equal(answer.status, 503, answer.text);
      const id = answer.headers['x-request-id'];
      const lines = control.lines.filter(({ details }) => (details as { request?: string }).request === id);
      assert.ok(
        lines.some(({ details }) => 'err' in details),
        path,
      );
    }
  });
});
