/**
 * The speed of one node towards one ISP, from our own journal. An event has the time of the reply, which is a little
 * later than the token; with one session the next token is taken after it. So of n messages in a window, n events lie
 * in one that is shorter by the distance of two tokens, on however slow a machine.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import { Mta, ofType, type Settings } from '../support/mta.ts';
import { batch, eventually, receiver, routeTo } from '../support/mta-world.ts';
import { mostIn } from '../support/windows.ts';

const speed = (strategy: object): Settings => ({
  strategies: [{ name: 'own', concurrent_connections: 1, messages_per_connection: 1000, ...strategy }],
  senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'own' } }],
});
const post = (mta: Mta, count: number): ReturnType<Mta['api']> =>
  mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(count) });
const timesOf = (events: readonly Event[]): number[] =>
  ofType(events, 'delivered')
    .map(({ time }) => Date.parse(time))
    .sort((a, b) => a - b);

test('20/1s on one node: 60 messages, never more than 20 in a second', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)], ...speed({ rate: '20/1s' }) });
  await post(mta, 60);
  await mta.settled(60);
  const times = timesOf(await mta.end());
  assert.equal(times.length, 60);
  assert.ok(mostIn(times, 950) <= 20, `${mostIn(times, 950)} within 950 ms`);
  assert.ok(mostIn(times, 1000) <= 21, `${mostIn(times, 1000)} within a second`);
  assert.ok(times.at(-1)! - times[0]! >= 58 * 50, 'they are spread evenly');
  assert.deepEqual([sink.stats().recipients, sink.stats().duplicates], [60, 0]);
});

test('each node has the speed for itself', async (t) => {
  const sink = await receiver(t);
  const nodes = [2, 3, 4].map((i) => ({ name: `n${i}`, address: `127.0.0.${i}`, hostname: `n${i}.test` }));
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    ...speed({ rate: '20/1s' }),
    nodes,
    senders: [
      { name: 'shop', nodes: nodes.map(({ name }) => ({ node: name })), strategies: { default: 'own' } },
    ],
  });
  await post(mta, 90);
  await mta.settled(90);
  const events = await mta.end();
  for (const { name } of nodes) {
    const times = timesOf(events.filter(({ node }) => node === name));
    assert.equal(times.length, 30);
    assert.ok(mostIn(times, 950) <= 20);
  }
  assert.ok(mostIn(timesOf(events), 1000) > 30, 'three nodes together are faster than one may be');
});

test('a limit holds over kill -9', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)], ...speed({ rate: '5/3s', burst: 5 }) });
  await post(mta, 6);
  await mta.until((events) => ofType(events, 'delivered').length === 5);
  await mta.kill('SIGKILL');
  await mta.start();
  await mta.settled(6);
  const times = timesOf(await mta.end());
  // Three seconds from token to token; the first reply may have come later than its token, on a busy machine.
  assert.ok(times[5]! - times[0]! >= 2000, `the sixth came ${times[5]! - times[0]!} ms after the first`);
  assert.deepEqual([sink.stats().recipients, sink.stats().duplicates], [6, 0]);
});

test('a daily limit holds over a restart, and what is beyond it waits with a reason', async (t) => {
  const sink = await receiver(t);
  // Far from the end of the day here: a zone where it is about noon now.
  const hour = new Date().getUTCHours() - 12;
  const timezone = hour === 0 ? 'UTC' : `Etc/GMT${hour > 0 ? '+' : '-'}${Math.abs(hour)}`;
  const mta = await Mta.start(t, { routes: [routeTo(sink)], timezone, ...speed({ daily_limit: 8 }) });
  await post(mta, 12);
  await mta.until((events) => ofType(events, 'delivered').length === 8);
  await mta.kill('SIGTERM');
  await mta.start();
  await post(mta, 3);
  await eventually(
    async () => /strategy own: next message in/.test((await mta.api('/v1/deliveries?state=new')).text),
    'what waits says why',
  );
  assert.equal((await mta.status()).queue.total, 7);
  await mta.end();
  assert.equal(sink.stats().recipients, 8);
});
