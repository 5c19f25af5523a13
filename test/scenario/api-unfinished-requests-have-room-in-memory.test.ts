import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { describe, test, type TestContext } from 'node:test';
import { tooManyValues } from '../../src/api/json-size.ts';
import {
  type Answer,
  finish,
  type Fixture,
  headOf,
  MESSAGE,
  startControl,
} from '../unit/api/control-fixture.ts';
import { eventually } from '../support/mta-world.ts';

const KB = 1024;
const NDJSON = { 'content-type': 'application/x-ndjson' };
const JSON_TYPE = { 'content-type': 'application/json' };
const HEADER = `${JSON.stringify({ from: 'a@a.test', content: 'x' })}\n`;

/** A request that sends a part and waits. */
function half(control: Fixture, path: string, type: Record<string, string>, part: string): ClientRequest {
  const sent = control.open('POST', path, type);
  sent.on('error', () => undefined);
  sent.write(part);
  return sent;
}

const TOO_MUCH = `{"content":"${'x'.repeat(200 * KB)}"}`;

const isRefused = ({ status, headers, text }: Answer): boolean =>
  status === 503 && headers['retry-after'] !== undefined && text.includes('unfinished requests');

describe('what requests hold together is bounded', () => {
  const ways: readonly (readonly [string, string, Record<string, string>, string])[] = [
    ['a body', '/v1/messages', JSON_TYPE, '{"content":"'],
    ['the header of a batch', '/v1/batches', NDJSON, '{"from":"'],
  ];
  for (const [what, path, type, head] of ways)
    test(`${what} that finds no room is told to come again; then there is room`, async (t: TestContext) => {
      const control = await startControl(t, { roomBytes: 300 * KB });
      const first = half(control, path, type, head + 'x'.repeat(250 * KB));
      // The first one is read when the second is refused: until then there is room for both.
      let second: Answer | undefined;
      await eventually(async () => {
        second = await finish(half(control, path, type, `${head}${'x'.repeat(200 * KB)}"}`));
        return isRefused(second);
      }, 'the second request is refused');
      first.destroy();
      await eventually(
        async () => (await control.post('/v1/messages', MESSAGE)).status === 202,
        'there is room again',
      );
    });

  test('one request has room whatever the bound', async (t) => {
    const control = await startControl(t, { roomBytes: 1 });
    assert.equal((await control.post('/v1/messages', MESSAGE)).status, 202);
  });

  test('a long answer that nobody reads takes room, and a short one is always given', async (t) => {
    const bytes = 2_000 * KB;
    const control = await startControl(t, { roomBytes: 3_000 * KB, maxMessageBytes: bytes });
    const content = `From: a@a.test\r\n\r\n${'x'.repeat(bytes - 100)}`;
    const { message_id: id } = (await control.post('/v1/messages', { ...MESSAGE, content })).json;
    const path = `/v1/messages/${String(id)}/content`;
    const unread = control.open('GET', path).on('error', () => undefined);
    unread.end();
    assert.equal((await headOf(unread)).statusCode, 200);
    const second = await control.get(path);
    assert.equal(isRefused(second), true, second.text.slice(0, 200));
    assert.match(String(second.headers['content-type']), /^application\/json/);
    assert.equal((await control.get('/v1/status')).status, 200);
    unread.destroy();
    let third: Answer | undefined;
    await eventually(async () => (third = await control.get(path)).status === 200, 'there is room again');
    assert.equal(third?.text, content);
  });

  test('a batch that runs out of room keeps what was acknowledged', async (t) => {
    const control = await startControl(t, { roomBytes: 300 * KB });
    const line = `${JSON.stringify({ to: 'u@a.test' })}\n`;
    const batch = half(control, '/v1/batches', NDJSON, HEADER + line);
    const [response] = (await once(batch, 'response')) as [NodeJS.ReadableStream];
    const other = half(control, '/v1/messages', JSON_TYPE, `{"content":"${'x'.repeat(250 * KB)}`);
    t.after(() => other.destroy());
    let text = '';
    response.setEncoding('utf8').on('data', (part: string) => (text += part));
    await eventually(
      async () => isRefused(await finish(half(control, '/v1/messages', JSON_TYPE, TOO_MUCH))),
      'the other is read',
    );
    batch.write('x'.repeat(60 * KB));
    await once(response, 'end');
    const [ack, last] = text
      .trim()
      .split('\n')
      .map((one) => JSON.parse(one) as Record<string, unknown>);
    assert.equal(ack!['acked_through'], 2);
    assert.equal(last!['acked_through'], 2);
    assert.equal(control.queue.state.counters.sum().accepted, 1);
    batch.destroy();
  });
});

describe('JSON of very many values is not parsed', () => {
  const many = 300_000;
  const texts: readonly (readonly [string, string, boolean])[] = [
    ['empty objects', `[${'{},'.repeat(many)}{}]`, true],
    ['numbers', `[${'1,'.repeat(many)}1]`, true],
    ['lists in lists', '['.repeat(many), true],
    ['a long text full of commas and brackets', JSON.stringify({ content: ',[{"\\"'.repeat(many) }), false],
    ['many texts with escapes', `[${'"a\\\\",'.repeat(many)}1]`, true],
    ['a text without an end', `["${'x,'.repeat(many)}`, false],
    ['few values', JSON.stringify({ to: 'x'.repeat(many) }), false],
  ];
  for (const [what, text, isMany] of texts)
    test(what, () => assert.equal(tooManyValues(Buffer.from(text)) !== undefined, isMany));

  test('the caller is told', async (t) => {
    const { post } = await startControl(t);
    const answer = await post('/v1/messages', `{"x":[${'{},'.repeat(many)}1]}`);
    assert.deepEqual(
      [answer.status, /more than 200000 values/.test(answer.text), answer.text.length < 300],
      [400, true, true],
    );
  });

  test('and of a thousand unknown fields a few', async (t) => {
    const { post } = await startControl(t);
    const fields = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`field${i}`, 1]));
    const answer = await post('/v1/messages', { ...MESSAGE, ...fields });
    const { error } = answer.json as { error: { details: unknown[] } };
    assert.deepEqual([answer.status, error.details.length], [400, 20]);
  });
});
