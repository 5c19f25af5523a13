import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { finish, type Fixture, headOf, startControl, until } from '../unit/api/control-fixture.ts';

const NDJSON = 'application/x-ndjson';
const HEADER = '{"from":"news@a.test","content":"Subject: hi\\n\\nhello {{name}}","campaign_id":"c1"}';
const line = (i: number): string => JSON.stringify({ to: `u${i}@d${i % 7}.test`, vars: { name: `N${i}` } });

type Ack = Readonly<Record<string, unknown>>;
const send = async (control: Fixture, lines: readonly string[]): Promise<readonly Ack[]> => {
  const answer = await control.post('/v1/batches', lines.join('\n'), NDJSON);
  assert.equal(answer.status, 200, answer.text);
  return answer.lines;
};
const rejectedIn = (acks: readonly Ack[]): Ack[] =>
  acks.flatMap((ack) => (Array.isArray(ack.rejected) ? ack.rejected : []) as Ack[]);

describe('a batch', () => {
  test('lines are committed, acknowledged in order and counted', async (t) => {
    const control = await startControl(t);
    const acks = await send(control, [HEADER, ...Array.from({ length: 1200 }, (_, i) => line(i))]);
    const through = acks.slice(0, -1).map((ack) => Number(ack.acked_through));
    assert.deepEqual(
      through,
      through.toSorted((a, b) => a - b),
    );
    assert.equal(through.at(-1), 1201);
    const { message_id: id, ...done } = acks.at(-1)!;
    assert.deepEqual(done, { done: true, accepted: 1200, rejected: 0 });
    assert.equal(control.queue.state.counters.sum().accepted, 1200);
    assert.equal(
      (await control.get(`/v1/deliveries/${String(id)}.1200`)).json.recipient,
      line(1199).slice(7, 22).split('"')[0],
    );
    assert.equal(control.injector.closed, 1);
  });

  test('line 17 is bad in every way there is; it alone is rejected', async (t) => {
    const control = await startControl(t);
    const bad: readonly (readonly [string, string, RegExp])[] = [
      ['{"to":', '', /not JSON/],
      ['17', '', /expected an object, got a number/],
      ['{}', 'to', /is missing/],
      ['{"to":"u@a.test","var":{}}', 'var', /did you mean "vars"\?/],
      ['{"to":"u@a.test","vars":[]}', 'vars', /expected an object, got a list/],
      ['{"to":"u@a.test","not_before":"soon"}', 'not_before', /such as 2h/],
      ['{"to":"nobody"}', 'to', /local@domain/],
      [`{"to":"u@a.test","vars":{"a":"${'x'.repeat(1024 * 1024)}"}}`, '', /longer than 1048576 bytes/],
    ];
    for (const [text, field, message] of bad) {
      const lines = [HEADER, ...Array.from({ length: 30 }, (_, i) => line(i))];
      lines[16] = text;
      const acks = await send(control, lines);
      const rejected = rejectedIn(acks);
      assert.equal(rejected.length, 1, text.slice(0, 50));
      assert.equal(rejected[0]!.line, 17);
      assert.equal(rejected[0]!.field, field);
      assert.match(String(rejected[0]!.message), message);
      assert.equal(acks.at(-1)!.accepted, 29);
    }
  });

  test('blank lines and CRLF are no lines', async (t) => {
    const control = await startControl(t);
    const acks = await send(control, ['', `${HEADER}\r`, '', `${line(1)}\r`, `${line(2)}\r`, '', '']);
    assert.deepEqual(
      { ...acks.at(-1), message_id: '' },
      { done: true, message_id: '', accepted: 2, rejected: 0 },
    );
    assert.deepEqual(
      control.injector.lines.map((one) => one.line),
      [4, 5],
    );
  });

  test('a bad header is a 400 and nothing is accepted', async (t) => {
    const control = await startControl(t);
    for (const header of [
      '',
      'x',
      '[]',
      '{"content":"x"}',
      '{"from":"a@a.test"}',
      '{"from":"a@a.test","content":"x","idempotency_key":""}',
      '{"from":"a@a.test","content":"x","to":["b@b.test"]}',
      '{"from":"a@a.test","content":"*","content_encoding":"base64"}',
    ]) {
      const answer = await control.post(
        '/v1/batches',
        header === '' ? '' : `${header}\n${line(1)}\n`,
        NDJSON,
      );
      assert.equal(answer.status, 400, `${header}: ${answer.text}`);
    }
    assert.equal(control.injector.opened, 0);
    assert.equal(control.queue.state.counters.sum().accepted, 0);
  });

  test('a header over the limit is 413', async (t) => {
    const control = await startControl(t, { maxMessageBytes: 1000 });
    const header = JSON.stringify({ from: 'a@a.test', content: 'x'.repeat(1_100_000) });
    const answer = await control.post('/v1/batches', `${header}\n${line(1)}\n`, NDJSON);
    assert.equal(answer.status, 413);
  });

  test('at most two chunks are under way, and the sender has to wait', async (t) => {
    const control = await startControl(t);
    let open = (): void => undefined;
    control.injector.gate = new Promise((resolve) => (open = resolve));
    const sent = control.open('POST', '/v1/batches', { 'content-type': NDJSON });
    const padding = 'x'.repeat(10_000);
    const lines = Array.from({ length: 3000 }, (_, i) =>
      JSON.stringify({ to: `u${i}@a.test`, vars: { padding } }),
    );
    sent.write(`${[HEADER, ...lines].join('\n')}\n`);
    await until(() => control.injector.underWay === 2, 'two chunks are under way');
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(control.injector.mostUnderWay, 2);
    assert.equal(control.injector.chunks, 2);
    assert.ok(sent.writableLength > 10_000_000, 'most of the 30 MB are still with the sender');
    open();
    const answer = await finish(sent);
    assert.equal(answer.lines.at(-1)!.accepted, 3000);
    assert.equal(control.injector.mostUnderWay, 2);
  });

  test('when the store refuses later, what was acknowledged stays and the last line says so', async (t) => {
    const control = await startControl(t);
    const sent = control.open('POST', '/v1/batches', { 'content-type': NDJSON });
    sent.write(`${HEADER}\n${line(1)}\n`);
    const answered = finish(sent, undefined);
    await until(() => control.injector.lines.length === 1, 'the first line is committed');
    const more = await answered;
    assert.equal(more.lines.at(-1)!.accepted, 1);

    const second = control.open('POST', '/v1/batches', { 'content-type': NDJSON });
    second.write(`${HEADER}\n${line(1)}\n`);
    const head = await headOf(second);
    control.injector.broken = new Error('ENOSPC');
    second.end(`${line(2)}\n`);
    let text = '';
    for await (const chunk of head as AsyncIterable<Buffer>) text += chunk.toString();
    const lines = text
      .trim()
      .split('\n')
      .map((one) => JSON.parse(one) as Ack);
    assert.equal(lines[0]!.acked_through, 2);
    const last = lines.at(-1)!;
    assert.equal((last.error as Ack).code, 'unavailable');
    assert.equal(last.acked_through, 2);
    assert.equal(control.queue.state.counters.sum().accepted, 2);
    assert.equal(control.injector.closed, 2);
  });

  test('a header that is refused sets no limits', async (t) => {
    const control = await startControl(t);
    const header = JSON.stringify({ ...(JSON.parse(HEADER) as object), limits: { per_start: 3 } });
    control.injector.unavailable = true;
    assert.equal((await control.post('/v1/batches', header, NDJSON)).status, 503);
    assert.deepEqual([...control.egress.limits], []);
    control.injector.unavailable = false;
    assert.equal((await control.post('/v1/batches', header, NDJSON)).status, 200);
    assert.deepEqual([...control.egress.limits], [['/c1', { perStart: 3 }]]);
  });

  test('a server that closes ends a batch under way at what was committed', async (t) => {
    const control = await startControl(t);
    const sent = control.open('POST', '/v1/batches', { 'content-type': NDJSON });
    sent.on('error', () => undefined);
    sent.write(`${HEADER}\n${line(1)}\n`);
    const head = await headOf(sent);
    let text = '';
    const read = (async () => {
      for await (const chunk of head as AsyncIterable<Buffer>) text += chunk.toString();
    })().catch(() => undefined);
    const closed = control.server.close();
    await read;
    sent.destroy();
    await closed;
    assert.match(text, /"acked_through":2/);
    assert.match(text, /the server is closing/);
    assert.equal(control.injector.closed, 1);
  });
});
