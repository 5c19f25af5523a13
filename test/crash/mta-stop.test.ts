/** SIGTERM with 1,000 transactions under way: they end, nothing is lost or sent twice, and it never takes for ever. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { SAME_MS } from '../../src/cli/interruption.ts';
import { Mta, ofType } from '../support/mta.ts';
import { batch, eventually, FROM, gate, type Gate, receiver, routeTo } from '../support/mta-world.ts';

const IN_FLIGHT = 1_000;
const QUEUED = 3_000;
/** What `serve` is told, and room for a slow machine; it would wait for the receivers for minutes. */
const DRAIN_S = 5;
const BOUND_MS = 60_000;

/** So many messages at a receiver that has not answered, more behind them. */
async function underWay(t: TestContext, drain = '5m'): Promise<{ mta: Mta; held: Gate }> {
  const held = await gate(t);
  const mta = await Mta.prepare(t, {
    routes: [routeTo(held)],
    strategies: [{ name: 'own', concurrent_connections: IN_FLIGHT, messages_per_connection: 10 }],
    nodes: [{ name: 'n1', address: '127.0.0.2', hostname: 'n1.test', max_sessions: IN_FLIGHT }],
    retry_rules: [{ name: 'soon', type: 'fixed', interval: '1s', attempts: 5 }],
    senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'own' }, retry: 'soon' }],
  });
  mta.arguments = ['--drain', drain];
  await mta.start();
  await mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(QUEUED) });
  await eventually(() => held.held.size === IN_FLIGHT, `${IN_FLIGHT} messages are at the receiver`);
  return { mta, held };
}

/** A client that has begun a message and says no more. */
async function dawdle(mta: Mta): Promise<void> {
  const talk = await mta.talk();
  await talk.expect(/220 .*\r\n/);
  await talk.ask('EHLO app.test\r\n');
  await talk.ask(`MAIL FROM:<${FROM}>\r\n`);
}

/** The rest arrives after a new start, at a receiver that answers. */
async function restart(
  t: TestContext,
  { mta, held }: { mta: Mta; held: Gate },
): Promise<ReturnType<Mta['end']>> {
  await held.close();
  await mta.audit();
  const sink = await receiver(t);
  mta.configure({ routes: [routeTo(sink)] });
  await mta.start();
  await mta.settled(QUEUED, 60_000);
  const events = await mta.end();
  assert.equal(ofType(events, 'delivered').length, QUEUED);
  assert.equal(sink.stats().duplicates, 0);
  return events;
}

async function isClosed(mta: Mta): Promise<boolean> {
  try {
    (await mta.talk()).socket.destroy();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  }
}

const stopping = (mta: Mta): Promise<unknown> => mta.heard(({ msg }) => msg.startsWith('SIGTERM: ending'));

test('what is on the wire ends, what waits stays, nothing arrives twice', { timeout: 240_000 }, async (t) => {
  const { mta, held } = await underWay(t);
  mta.signal('SIGTERM');
  mta.signal('SIGTERM'); // as systemd and a parent that passes it on do: one wish, told twice
  assert.ok(await stopping(mta));
  await eventually(() => isClosed(mta), 'no new mail is taken');
  held.open();
  assert.deepEqual(await mta.exited(), { code: 0, signal: null }, mta.stderr);
  const events = await restart(t, { mta, held });
  assert.equal(held.held.size, IN_FLIGHT, 'no transaction was begun after the signal');
  assert.ok(!mta.log.some(({ msg }) => msg.includes('again')), 'it was one signal');
  const first = ofType(events, 'delivered').slice(0, IN_FLIGHT);
  assert.deepEqual(new Set(first.map(({ recipient }) => recipient)), held.held);
  assert.ok(!events.some((event) => event.possible_duplicate));
});

test(
  'receivers that never answer and clients that dawdle hold it up for a bounded time',
  { timeout: 240_000 },
  async (t) => {
    const { mta, held } = await underWay(t, `${DRAIN_S}s`);
    await dawdle(mta);
    const began = performance.now();
    mta.signal('SIGTERM');
    assert.deepEqual(await mta.exited(), { code: 0, signal: null }, mta.stderr);
    const ms = performance.now() - began;
    assert.ok(ms >= DRAIN_S * 1000 && ms < BOUND_MS, `${ms} ms`);
    await restart(t, { mta, held });
  },
);

test('a second SIGTERM cuts what is under way', { timeout: 240_000 }, async (t) => {
  const { mta, held } = await underWay(t);
  await dawdle(mta);
  mta.signal('SIGTERM');
  assert.ok(await stopping(mta));
  const began = performance.now();
  const insisting = setInterval(() => mta.signal('SIGTERM'), SAME_MS);
  t.after(() => clearInterval(insisting));
  assert.ok(await mta.heard(({ msg }) => msg.startsWith('SIGTERM again')));
  clearInterval(insisting);
  assert.deepEqual(await mta.exited(), { code: 0, signal: null }, mta.stderr);
  assert.ok(performance.now() - began < BOUND_MS, 'before the first signal would have ended it');
  await restart(t, { mta, held });
});
