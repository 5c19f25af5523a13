/** `postrider/client` against the program, over connections that are cut and a server that is killed. */
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  type BatchRecipient,
  type Event,
  type Job,
  Postrider,
  PostriderError,
} from '../../src/client/index.ts';
import { Mta, ofType } from '../support/mta.ts';
import { eventually, FROM } from '../support/mta-world.ts';

/** Nothing is sent, so that the counts stand still. */
const DOWN = { nodes: [{ name: 'n1', address: '192.0.2.9', hostname: 'n1.test' }] };
const HEADER = { from: FROM, parts: { from: FROM, subject: 's', text: 'Hello {{name}}' } };

async function* audience(count: number): AsyncGenerator<BatchRecipient> {
  for (let i = 0; i < count; i++)
    yield await Promise.resolve({ to: `r${i}@to.test`, vars: { name: `R ${i}` } });
}

function clientOf(t: TestContext, socketPath: string): Postrider {
  const client = new Postrider({ socketPath });
  t.after(() => client.close());
  return client;
}

/** A socket in front of the server that cuts each connection after so many bytes of the answer. */
async function cutting(
  t: TestContext,
  mta: Mta,
  afterBytes: number,
): Promise<{ path: string; cuts: number }> {
  const state = { path: join(mta.dir, 'cut.sock'), cuts: 0 };
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(mta.socket);
    let left = afterBytes;
    for (const socket of [near, far]) {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .once('close', () => (near.destroy(), far.destroy(), open.delete(socket)));
    }
    near.pipe(far);
    far.on('data', (data: Buffer) => {
      if (left <= 0) return;
      const part = data.subarray(0, left);
      left -= part.length;
      if (left > 0) near.write(part);
      else near.write(part, () => (state.cuts++, near.destroy()));
    });
  });
  await new Promise<void>((resolve) => server.listen(state.path, resolve));
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return state;
}

test('a batch over connections that break arrives whole, and once', async (t) => {
  const mta = await Mta.start(t, DOWN);
  const cut = await cutting(t, mta, 350);
  const count = 6_000;
  const progress: number[] = [];
  const result = await clientOf(t, cut.path).sendBatch({ ...HEADER, campaign_id: 'c' }, audience(count), {
    onProgress: ({ ackedThrough }) => progress.push(ackedThrough),
  });
  assert.deepEqual([result.accepted, result.rejected], [count, 0]);
  assert.ok(cut.cuts >= 2, `${cut.cuts} cuts`);
  assert.deepEqual(
    progress,
    progress.toSorted((a, b) => a - b),
  );
  assert.equal(progress.at(-1), count + 1);
  const accepted = ofType(await mta.events(), 'accepted');
  assert.equal(accepted.length, count);
  assert.equal(new Set(accepted.map(({ recipient }) => recipient)).size, count);
  assert.ok(accepted.every(({ message_id: id }) => id === result.messageId));
  await mta.end();
});

test('a batch goes on over kill -9 of the server, events as well', async (t) => {
  const mta = await Mta.start(t, DOWN);
  const client = clientOf(t, mta.socket);
  const count = 10_000;
  const seen: Event[] = [];
  const stop = new AbortController();
  const following = (async () => {
    for await (const event of client.events({
      after: 0,
      types: ['accepted'],
      follow: true,
      signal: stop.signal,
    }))
      if (seen.push(event) === count) stop.abort();
  })();
  const sent = client.sendBatch(HEADER, audience(count));
  await eventually(async () => (await mta.status()).queue.total >= 1_000, 'some lines are committed');
  await mta.kill('SIGKILL');
  await mta.start();
  assert.deepEqual({ ...(await sent), messageId: '' }, { messageId: '', accepted: count, rejected: 0 });
  await following;
  assert.equal(new Set(seen.map(({ recipient }) => recipient)).size, count);
  assert.ok(seen.every(({ seq }, i) => i === 0 || seq > seen[i - 1]!.seq));
  let found = 0;
  for await (const { state } of client.deliveries({ state: 'new' })) found += Number(state === 'new');
  assert.equal(found, count);
  await mta.end();
});

test('what is wrong is an error with the field, and what the source throws comes out', async (t) => {
  const mta = await Mta.start(t, DOWN);
  const client = clientOf(t, mta.socket);
  await assert.rejects(client.send({ envelope: { from: FROM, to: ['x'] }, content: 'y' }), (error) => {
    assert.ok(error instanceof PostriderError);
    assert.deepEqual([error.status, error.code, error.temporary], [400, 'invalid_request', false]);
    return true;
  });
  await assert.rejects(client.sendBatch({ ...HEADER, sender: 'nobody' }, []), /unknown sender "nobody"/);
  async function* broken(): AsyncGenerator<BatchRecipient> {
    yield* audience(3);
    throw new Error('the database is gone');
  }
  await assert.rejects(client.sendBatch(HEADER, broken()), /the database is gone/);
  const rejected: string[] = [];
  const result = await client.sendBatch(HEADER, [{ to: 'a@to.test' }, { to: 'bad' }], {
    onProgress: (step) => rejected.push(...step.rejected.map(({ line, field }) => `${line} ${field}`)),
  });
  assert.deepEqual([result.accepted, result.rejected, rejected], [1, 1, ['3 to']]);
  await mta.end();
});

test('each operation of the queue does what it says', async (t) => {
  const mta = await Mta.start(t, DOWN);
  const client = clientOf(t, mta.socket);
  const campaign = { campaign_id: 'c' };
  await client.sendBatch({ ...HEADER, ...campaign }, audience(3));
  const { messageId: other } = await client.sendBatch({ ...HEADER, campaign_id: 'other' }, audience(1));
  const done = async (begun: Promise<Job>): Promise<Job> => {
    const { job } = await begun;
    await eventually(async () => (await client.job(job)).state === 'done', `job ${job} is done`);
    return client.job(job);
  };
  const held = async (): Promise<number> => (await mta.status()).queue.hold;

  assert.equal((await client.hold(campaign, { dryRun: true })).matched, 3);
  assert.equal(await held(), 0);
  assert.equal((await done(client.hold(campaign))).done, 3);
  assert.equal(await held(), 3);
  assert.equal((await done(client.release(campaign))).done, 3);
  assert.equal(await held(), 0);
  assert.equal((await done(client.change(campaign, { band: 'priority' }))).done, 3);
  const [name] = (await client.nodes()).map((node) => node.name);
  assert.equal((await done(client.move(campaign, { node: name! }))).pending, 0);
  assert.equal((await done(client.retry(campaign))).pending, 0);
  assert.equal((await done(client.purge(campaign))).done, 3);
  const left: string[] = [];
  for await (const { message_id: id } of client.deliveries({ state: 'new' })) left.push(id);
  assert.deepEqual(left, [other]);
  await mta.end();
});
