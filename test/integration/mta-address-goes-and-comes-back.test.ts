/**
 * The address of a node is taken from the machine while it sends, and given back: in a network namespace of its own, so
 * nothing else notices. The node says so, its mail waits or moves as configured, it returns by itself, and nothing is
 * lost or sent twice.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Mta, ofType, type Settings } from '../support/mta.ts';
import { batch, eventually, receiver, routeTo } from '../support/mta-world.ts';

const INSIDE = 'POSTRIDER_TEST_NETNS';
/** TEST-NET-1 (RFC 5737). */
const ADDRESS = '192.0.2.77';
const MAIL = 600;
const SESSIONS = 4;

const skip =
  process.getuid?.() === 0
    ? false
    : 'needs root: a network namespace of its own, addresses added and removed';

const ip = (...args: readonly string[]): void => void execFileSync('ip', args);
const give = (): void => ip('address', 'add', `${ADDRESS}/32`, 'dev', 'lo');
const take = (): void => ip('address', 'del', `${ADDRESS}/32`, 'dev', 'lo');

const settings = (sink: { readonly port: number }, whenDown: 'wait' | 'move'): Settings => ({
  routes: [routeTo(sink)],
  alerts: { node_down: '1s', clear_after: '1s' },
  strategies: [
    { name: 'own', rate: '100/1s', concurrent_connections: SESSIONS, messages_per_connection: 50 },
  ],
  nodes: [
    { name: 'n1', address: ADDRESS, hostname: 'n1.test', when_down: whenDown },
    { name: 'n2', address: '127.0.0.2', hostname: 'n2.test' },
  ],
  senders: [
    { name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'own' } },
    { name: 'both', nodes: [{ node: 'n1' }, { node: 'n2' }], strategies: { default: 'own' } },
  ],
});

async function stateOf(mta: Mta): Promise<string | undefined> {
  return (await mta.status()).nodes.find(({ name }) => name === 'n1')?.state;
}

const post = (mta: Mta, sender: string, domain = 'to.test'): Promise<unknown> => {
  const [head, ...lines] = batch(MAIL, () => domain).split('\n');
  const body = [JSON.stringify({ ...(JSON.parse(head!) as object), sender }), ...lines].join('\n');
  return mta.api('/v1/batches', { type: 'application/x-ndjson', body });
};

if (process.env[INSIDE] === undefined) {
  test('an address that goes and comes back', { skip, timeout: 240_000 }, async () => {
    const inside = ['ip link set lo up', `exec "$0" --test --test-reporter=spec "$1"`].join(' && ');
    // The runner of this file must not be taken for that of the other one.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn('unshare', ['--net', 'sh', '-c', inside, process.execPath, import.meta.filename], {
      env: { ...env, [INSIDE]: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 0, said);
    assert.match(said, /pass 2/);
  });
} else {
  test('when_down: wait', async (t) => {
    const sink = await receiver(t);
    give();
    const mta = await Mta.start(t, settings(sink, 'wait'));
    await post(mta, 'shop');
    assert.ok(await sink.until(({ recipients }) => recipients > 50));
    take();
    assert.ok(await mta.heard(({ level, msg }) => level >= 50 && msg.includes(`${ADDRESS} is not on`)));
    assert.equal(await stateOf(mta), 'down');
    await mta.until((events) =>
      ofType(events, 'alert').some(({ alert }) => alert?.name === 'node_down' && alert.state === 'firing'),
    );
    assert.match((await mta.api('/v1/deliveries?state=new')).text, /node n1 is down/);
    const { queue } = await mta.status();
    assert.ok(queue.total > 0, 'mail waits');
    give();
    await mta.settled(MAIL);
    assert.equal(await stateOf(mta), 'running');
    await mta.until((events) =>
      ofType(events, 'alert').some(({ alert }) => alert?.name === 'node_down' && alert.state === 'resolved'),
    );
    const events = await mta.end();
    assert.deepEqual(
      ofType(events, 'node_state')
        .filter(({ node }) => node === 'n1')
        .slice(-2)
        .map(({ reason }) => reason),
      [`the address ${ADDRESS} is not on this machine`, 'node n1 is running'],
    );
    assert.equal(ofType(events, 'delivered').length, MAIL);
    assert.equal(ofType(events, 'moved').length, 0);
    assert.deepEqual(sink.stats().byPeerAddress, { [ADDRESS]: MAIL });
    assert.equal(sink.stats().duplicates, 0);
    take();
  });

  test('when_down: move', async (t) => {
    const sink = await receiver(t);
    give();
    const mta = await Mta.start(t, settings(sink, 'move'));
    await post(mta, 'both');
    assert.ok(await sink.until(({ byPeerAddress }) => (byPeerAddress[ADDRESS] ?? 0) > 50));
    take();
    await eventually(async () => (await stateOf(mta)) === 'down', 'it is down');
    // What was in the middle of a transaction waits for the reply: sent elsewhere it might come twice.
    await mta.settled(MAIL - SESSIONS);
    const { queue } = await mta.status();
    assert.equal(queue.total, queue.proc);
    give();
    await eventually(async () => (await stateOf(mta)) === 'running', 'it is back');
    await post(mta, 'both', 'again.test');
    await mta.settled(2 * MAIL);
    const events = await mta.end();
    assert.equal(ofType(events, 'delivered').length, 2 * MAIL);
    assert.ok(ofType(events, 'moved').length > 0);
    assert.ok(ofType(events, 'moved').every(({ node, next_node: next }) => node === 'n1' && next === 'n2'));
    const { byPeerAddress, duplicates } = sink.stats();
    assert.ok(byPeerAddress[ADDRESS]! >= 50 + MAIL / 2, 'it sends again');
    assert.equal(byPeerAddress[ADDRESS]! + byPeerAddress['127.0.0.2']!, 2 * MAIL);
    assert.equal(duplicates, 0);
  });
}
