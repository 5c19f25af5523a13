/** What holds injection back holds no delivery back: what was accepted goes out while callers wait. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { type Answer, Mta, ofType } from '../support/mta.ts';
import { batch, eventually, FROM, gate, mail, routeTo } from '../support/mta-world.ts';
import { finish, headOf } from '../unit/api/control-fixture.ts';

const NDJSON = 'application/x-ndjson';
const QUEUED = 300;

const send = (mta: Mta, body: string, type = NDJSON): Promise<Answer> =>
  mta.api(type === NDJSON ? '/v1/batches' : '/v1/messages', { type, body });
const post = (mta: Mta, path: string, type: string) =>
  request({
    socketPath: mta.socket,
    method: 'POST',
    path,
    headers: { 'content-type': type },
    agent: false,
  });

test('the API says 503 and when to come again, and all that is queued is delivered', async (t) => {
  const held = await gate(t);
  const mta = await Mta.start(t, { routes: [routeTo(held)] });
  assert.equal((await send(mta, batch(QUEUED))).status, 200);
  await mta.kill('SIGTERM');
  // No disk has so much.
  mta.configure({ disk_reserve: '1000TB' });
  await mta.start();
  const message = {
    envelope: { from: FROM, to: ['late@to.test'] },
    content: mail('late@to.test').toString(),
  };
  const refused = async (): Promise<void> => {
    for (const [path, type, body] of [
      ['/v1/messages', 'application/json', JSON.stringify(message)],
      ['/v1/batches', NDJSON, batch(3)],
    ] as const) {
      const { status, headers, text } = await finish(post(mta, path, type), body);
      assert.equal(status, 503, text);
      assert.ok(Number(headers['retry-after']) > 0, path);
    }
  };
  await eventually(() => held.held.size > 0, 'mail is at the receiver');
  await refused();
  held.open();
  let done = false;
  const asking = (async () => {
    do await refused();
    while (!done);
  })();
  const events = await mta.until((all) => ofType(all, 'delivered').length === QUEUED);
  done = true;
  await asking;
  await refused();
  assert.equal(ofType(events, 'accepted').length, QUEUED);
  await mta.kill('SIGTERM');
  mta.configure({ disk_reserve: '1MB' });
  await mta.start();
  assert.equal((await send(mta, JSON.stringify(message), 'application/json')).status, 202);
  await mta.settled(QUEUED + 1);
  await mta.end();
});

test('a batch whose caller does not read is not read either, and other mail goes on', async (t) => {
  const held = await gate(t);
  held.open();
  const mta = await Mta.start(t, { routes: [routeTo(held)] });
  const stuck = post(mta, '/v1/batches', NDJSON);
  t.after(() => stuck.destroy());
  stuck.on('error', () => undefined);
  stuck.write(batch(1));
  const head = await headOf(stuck);
  assert.equal(head.statusCode, 200);
  // More answers than may wait for a caller that takes none, and lines long enough for no buffer to have them all.
  stuck.write(`${JSON.stringify({ to: 'x'.repeat(390) })}\n`.repeat(30_000));
  let left: number;
  let delivered = 1;
  do {
    left = stuck.writableLength;
    assert.equal((await send(mta, batch(QUEUED))).status, 200);
    delivered += QUEUED;
    await mta.until((events) => ofType(events, 'delivered').length === delivered);
  } while (stuck.writableLength !== left);
  assert.ok(left > 1024 * 1024, `${left} bytes wait to be read`);
  stuck.destroy();
  await eventually(() => mta.log.some(({ msg }) => msg === 'a batch connection broke'), 'its end is told');
  await mta.end();
});
