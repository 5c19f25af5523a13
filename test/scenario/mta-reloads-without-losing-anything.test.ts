/** SIGHUP and `postrider reload`: what is right applies at once, what is wrong changes nothing and is told. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { test } from 'node:test';
import { MAIN, Mta, ofType } from '../support/mta.ts';
import { batch, eventually, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const node = (name: string, address: string): object => ({ name, address, hostname: `${name}.test` });
const sender = (...nodes: readonly string[]): object[] => [
  { name: 'shop', nodes: nodes.map((name) => ({ node: name })), strategies: { default: 'own' } },
];
const CRAWL = [{ name: 'own', rate: '1/1h', concurrent_connections: 1 }];
const FAST = [{ name: 'own', concurrent_connections: 10, messages_per_connection: 100 }];
const post = (mta: Mta, count: number): ReturnType<Mta['api']> =>
  mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(count) });

/** Runs `postrider reload`. */
async function reload(mta: Mta): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [MAIN, 'reload', '-c', mta.configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}

test('SIGHUP: a changed speed applies to what waits already', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)], strategies: CRAWL, senders: sender('n1') });
  await post(mta, 30);
  await mta.until((events) => ofType(events, 'delivered').length === 1);
  mta.configure({ strategies: FAST });
  mta.signal('SIGHUP');
  await mta.settled(30);
  const events = await mta.end();
  assert.match(ofType(events, 'config')[0]?.reason ?? '', /strategies/);
  assert.deepEqual([sink.stats().recipients, sink.stats().duplicates], [30, 0]);
});

test('a broken file changes nothing and is told, by the command and in the log', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)], strategies: FAST, senders: sender('n1') });
  appendFileSync(mta.configFile, 'nods: []\nlifetme: 1h\n');
  const { code, err } = await reload(mta);
  assert.equal(code, 2);
  assert.match(err, /postrider\.yaml:\d+.*nods.*nodes/);
  assert.match(err, /postrider\.yaml:\d+.*lifetme/);
  mta.signal('SIGHUP');
  const told = await mta.heard(({ level, errors }) => level === 50 && errors !== undefined);
  assert.match(told?.msg ?? '', /not reloaded/);
  await post(mta, 10);
  await mta.settled(10);
  const events = await mta.end();
  assert.equal(ofType(events, 'config').length, 0);
  assert.equal(sink.stats().recipients, 10);
});

test('`postrider reload` says what has changed; a node that was added takes its share', async (t) => {
  const sink = await receiver(t);
  const nodes = [node('n1', '127.0.0.2')];
  const mta = await Mta.start(t, { routes: [routeTo(sink)], strategies: FAST, nodes, senders: sender('n1') });
  await post(mta, 10);
  await mta.settled(10);
  mta.configure({ nodes: [...nodes, node('n2', '127.0.0.3')], senders: sender('n1', 'n2') });
  const { code, out } = await reload(mta);
  assert.equal(code, 0);
  assert.match(out, /nodes/);
  await post(mta, 20);
  await mta.settled(30);
  await mta.end();
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.2': 20, '127.0.0.3': 10 });
});

test('the mail of a node that was removed leaves from another one of its sender', async (t) => {
  const sink = await receiver(t);
  const nodes = [node('n1', '127.0.0.2'), node('n2', '127.0.0.3')];
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    strategies: CRAWL,
    nodes,
    senders: sender('n1', 'n2'),
  });
  await post(mta, 40);
  await mta.until((events) => ofType(events, 'delivered').length === 2);
  mta.configure({ nodes: nodes.slice(1), senders: sender('n2'), strategies: FAST });
  assert.equal((await reload(mta)).code, 0);
  await mta.settled(40);
  const events = await mta.end();
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.2': 1, '127.0.0.3': 39 });
  assert.equal(sink.stats().duplicates, 0);
  assert.equal(ofType(events, 'soft_bounce').length, 0, 'moving is no attempt');
});

test('nodes that come and go under load: everything arrives once', async (t) => {
  const sink = await receiver(t);
  const nodes = [node('n1', '127.0.0.2'), node('n2', '127.0.0.3')];
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    strategies: FAST,
    nodes,
    senders: sender('n1', 'n2'),
  });
  let sent = 0;
  let isDone = false;
  const sending = Array.from({ length: 5 }, async (_, i) => {
    const session = await mta.session();
    while (!isDone) {
      const to = `s${i}-${sent++}@to.test`;
      assert.ok((await submit(session, to, mail(to))).recipients[0]?.ok);
    }
    await session.quit();
  });
  for (let round = 0; round < 30; round++) {
    const both = round % 2 === 1;
    mta.configure(
      both ? { nodes, senders: sender('n1', 'n2') } : { nodes: nodes.slice(0, 1), senders: sender('n1') },
    );
    assert.equal((await mta.api('/v1/config/reload', { body: '{}' })).status, 200);
    const target = sent + 20;
    await eventually(() => sent >= target, 'more mail has come in');
  }
  isDone = true;
  await Promise.all(sending);
  await mta.settled(sent);
  await mta.end();
  assert.deepEqual([sink.stats().recipients, sink.stats().duplicates], [sent, 0]);
  assert.ok(sink.stats().byPeerAddress['127.0.0.3']! > 0);
});
