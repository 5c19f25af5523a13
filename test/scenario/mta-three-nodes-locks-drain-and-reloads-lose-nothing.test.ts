/** The program with three nodes while it sends: locks, unlocks, a drain and reloads; every message arrives once. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { ExplainedNode } from '../../src/api/index.ts';
import { Mta, oneEndEach, ofType } from '../support/mta.ts';
import { batch, eventually, receiver, routeTo } from '../support/mta-world.ts';

const MAIL = 3_000;
const ISPS = ['one', 'two', 'three'];
const nodes = [2, 3, 4].map((i) => ({ name: `n${i}`, address: `127.0.0.${i}`, hostname: `n${i}.test` }));
const BLOCKED = { code: 451, enhanced: '4.7.1', text: 'this address is blocked' };
const speed = (count: number): object[] => [
  { name: 'own', rate: `${count}/1s`, concurrent_connections: 4, messages_per_connection: 50 },
];

test('locks, moves, unlocks, a drain and reloads while sending lose and duplicate nothing', async (t) => {
  const sink = await receiver(t, {
    rules: [{ phase: 'rcpt', recipient: 'r300@one.test', once: true, action: BLOCKED }],
  });
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    nodes,
    isps: ISPS.map((name) => ({ name, domains: [`${name}.test`] })),
    strategies: speed(150),
    retry_rules: [{ name: 'soon', type: 'fixed', interval: '500ms', attempts: 20 }],
    lock_rules: [{ name: 'stop', duration: '30m', waiting: 'move' }],
    rules: [{ name: 'blocked', when: { code: 451, isp: 'one' }, then: { lock: 'stop', alert: true } }],
    senders: [
      {
        name: 'shop',
        nodes: nodes.map(({ name }) => ({ node: name })),
        strategies: { default: 'own' },
        retry: 'soon',
      },
    ],
  });
  const post = (path: string, body: object): ReturnType<Mta['api']> =>
    mta.api(path, { method: 'POST', body: JSON.stringify(body) });
  const accepted = mta.api('/v1/batches', {
    type: 'application/x-ndjson',
    body: batch(MAIL, (i) => `${ISPS[i % 3]!}.test`),
  });
  assert.ok(await sink.until(({ recipients }) => recipients > 100));
  assert.equal((await post('/v1/nodes/n2/lock', { isp: 'two', waiting: 'move' })).status, 200);
  for (const [isp, hint] of [
    ['twoo', /isp: twoo is not configured, did you mean \\"two\\"/],
    ['other', /isp: is counted by mail hosts: name those of one/],
  ] as const) {
    const refused = await post('/v1/nodes/n2/lock', { isp });
    assert.equal(refused.status, 400);
    assert.match(JSON.stringify(refused.body), hint);
  }
  assert.equal((await post('/v1/nodes/n3/drain', {})).status, 200);
  mta.configure({ strategies: speed(200) });
  assert.equal((await post('/v1/config/reload', {})).status, 200);
  assert.ok(await sink.until(({ recipients }) => recipients > 700));
  assert.equal((await post('/v1/nodes/n4/lock', { duration: '1h', reason: 'test' })).status, 200);
  assert.equal((await post('/v1/nodes/n2/unlock', {})).status, 200);
  assert.equal((await post('/v1/nodes/n3/resume', {})).status, 200);
  assert.ok(await sink.until(({ recipients }) => recipients > 1_200));
  assert.equal((await post('/v1/nodes/n4/unlock', {})).status, 200);
  mta.configure({ strategies: speed(400) });
  assert.equal((await post('/v1/config/reload', {})).status, 200);
  await eventually(async () => {
    const locks = (await mta.api('/v1/locks')).body as { locks: { id: string }[] };
    for (const { id } of locks.locks) await mta.api(`/v1/locks/${id}`, { method: 'DELETE' });
    return locks.locks.length === 0 && sink.stats().recipients > 1_500;
  }, 'all locks are lifted');
  await accepted;
  await mta.settled(MAIL);
  const events = await mta.end();
  oneEndEach(events);
  assert.equal(ofType(events, 'delivered').length, MAIL);
  assert.deepEqual([sink.stats().recipients, sink.stats().duplicates], [MAIL, 0]);
  assert.ok(ofType(events, 'lock').length >= 2);
  assert.equal(ofType(events, 'lock').length, ofType(events, 'unlock').length);
  assert.ok(ofType(events, 'moved').length > 0);
});

test('explain says who sends, from where, how fast, and what stands in the way', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    nodes,
    isps: ['one', 'two'].map((name) => ({ name, domains: [`${name}.test`] })),
    strategies: [{ name: 'own', rate: '60/1m', daily_limit: 5000 }],
    caps: [{ name: 'together', isp: 'one', rate: '30/1m', daily_limit: 400 }],
    senders: [{ name: 'shop', nodes: [{ node: 'n2' }], strategies: { default: 'own' } }],
  });
  await mta.api('/v1/nodes/n2/lock', {
    method: 'POST',
    body: JSON.stringify({ isp: 'one', reason: 'by me' }),
  });
  await mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(1, () => 'one.test') });
  await mta.api('/v1/stop-list', {
    method: 'POST',
    body: JSON.stringify({ entries: [{ domain: 'one.test', account_id: 'a7', reason: 'asked by mail' }] }),
  });
  const { status, body } = await mta.api('/v1/explain?recipient=r0@one.test');
  assert.equal(status, 200);
  const view = body as {
    isp: { name: string; matched_by: string; at?: string };
    hosts_from: string;
    stop_list?: object;
    senders: { sender: string; retry_rule_at?: string; nodes: ExplainedNode[] }[];
    queued: { node: string; why_waiting?: string }[];
  };
  const node = view.senders[0]!.nodes[0]!;
  const written = readFileSync(mta.configFile, 'utf8').split('\n');
  const lineOf = (text: string) =>
    `${mta.configFile}:${written.findIndex((line) => line.trim() === text) + 1}`;
  assert.deepEqual(
    [view.isp.name, view.isp.matched_by, view.hosts_from, view.senders[0]!.sender, node.node, node.strategy],
    ['one', 'domain', 'route', 'shop', 'n2', 'own'],
  );
  const [lock] = node.locks;
  assert.equal(lock!.reason, 'by me');
  assert.deepEqual(node.effective, {
    ...{ per_second: 0, set_by: `lock ${lock!.id}` },
    ...{ per_day: 400, per_day_set_by: 'cap together', per_day_set_at: lineOf('daily_limit: 400') },
  });
  assert.deepEqual(
    [view.isp.at, node.strategy_at, node.chosen_at, view.senders[0]!.retry_rule_at],
    [lineOf('- one.test'), lineOf('- name: own'), lineOf('default: own'), undefined],
  );
  assert.equal(view.stop_list, undefined, 'the entry is of one account');
  const ofAccount = (await mta.api('/v1/explain?recipient=r0@one.test&account_id=a7')).body as typeof view;
  assert.partialDeepStrictEqual(ofAccount.stop_list, { domain: 'one.test', reason: 'asked by mail' });
  for (const about of ['isp=one', 'domain=ONE.test'])
    assert.deepEqual((await mta.api(`/v1/explain?${about}`)).body, body, about);
  for (const [isp, says] of [
    ['twoo', /ISP twoo is not configured, did you mean \\"two\\"/],
    ['two', /no mail to ISP two waits"/],
    ['other', /no mail to ISP other waits"/],
    ['unresolved', /no mail to ISP unresolved waits"/],
  ] as const) {
    const nothing = await mta.api(`/v1/explain?isp=${isp}`);
    assert.equal(nothing.status, 404);
    assert.match(JSON.stringify(nothing.body), says);
  }
  assert.equal((await mta.api(`/v1/locks/${lock!.id}`, { method: 'DELETE' })).status, 200);
  const unlocked = (await mta.api('/v1/explain?recipient=r0@one.test')).body as typeof view;
  assert.partialDeepStrictEqual(unlocked.senders[0]!.nodes[0]!.effective, {
    per_second: 0.5,
    set_by: 'cap together',
    set_at: lineOf('rate: 30/1m'),
  });
  assert.match(view.queued[0]!.why_waiting!, /locked by hand: by me/);
  for (const wrong of ['recipient=nobody', '', 'recipient=r0@one.test&isp=one'])
    assert.equal((await mta.api(`/v1/explain?${wrong}`)).status, 400, wrong);
  assert.equal((await mta.api('/v1/explain?recipient=a@b.test&sender=shpo')).status, 400);
  await mta.end();
});
