import assert from 'node:assert/strict';
import { request } from 'node:https';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { messageIdOf } from '../../src/core/index.ts';
import { CALLS, createControlServer, type Scope } from '../../src/api/index.ts';
import { tokenOf } from '../support/access-token.ts';
import {
  clientOf,
  finish,
  type Fixture,
  headOf,
  MESSAGE,
  startControl,
} from '../unit/api/control-fixture.ts';
import { type Client, withTokens } from '../unit/api/with-tokens.ts';

const send = (account: string, to: string): object => ({
  ...MESSAGE,
  account_id: account,
  envelope: { from: 'news@a.test', to: [to] },
});

/** A message of which some deliveries are those of the sender promo; half of all have ended. */
async function manySenders(
  { queue, clock }: Fixture,
  total: number,
  isOwn: (index: number) => boolean,
): Promise<{ readonly id: string; readonly total: number }> {
  const number = queue.nextNumber();
  const now = clock.now();
  const facts = { kind: 'raw', bytes: 1, eightBit: false, smtpUtf8: false, dotLine: false } as const;
  const from = { from: 'a@a.test', fromAddress: 'a@a.test', fromDomain: 'a.test' };
  await queue.accept({
    number,
    message: { ...facts, ...from, createdAt: now, band: 'standard', campaignId: 'mixed', accountId: 'acme' },
    content: Buffer.from('x'),
    deliveries: Array.from({ length: total }, (_, i) => {
      const sender = isOwn(i + 1) ? 'promo' : 'main';
      const times = { wakeAt: now, expiresAt: now + 1_000 * (1 + (i % 2)) };
      return {
        index: i + 1,
        record: { recipient: `u${i}@gmail.com`, sender, node: 'n1', ...times, attempts: [] },
      };
    }),
  });
  clock.advance(1_500);
  await queue.sweep();
  return { id: messageIdOf(number), total };
}

describe('tokens', () => {
  const scopes: readonly Scope[] = ['inject', 'read', 'operate', 'admin'];

  test('each call is refused to every scope but its own', async (t) => {
    const { as } = await withTokens(
      t,
      scopes.map((scope) => tokenOf(scope, scope, [scope])),
    );
    for (const { method, path, scope, id } of CALLS)
      for (const one of scopes) {
        const target = path.replace(':id', '1').replace(':name', 'none');
        // A query that no call knows: whoever may come in is told so, and nothing happens.
        const { status } = await finish(as(one).open(method, `${target}?no=1`));
        assert.equal(status === 403, one !== scope && one !== 'admin', `${id} as ${one}: ${status}`);
        assert.notEqual(status, 401, id);
      }
  });

  test('two accounts neither see nor touch the mail of each other', async (t) => {
    const both: readonly Scope[] = ['inject', 'read', 'operate'];
    const { control, as } = await withTokens(t, [
      tokenOf('a', 'a', both, { accounts: ['acme'] }),
      tokenOf('b', 'b', both, { accounts: ['bolt'] }),
    ]);
    const [a, b] = [as('a'), as('b')];
    // The account need not be named where there is only one.
    const { account_id: _, ...unnamed } = MESSAGE;
    const mine = await a.post('/v1/messages', unnamed);
    assert.equal(mine.status, 202, mine.text);
    const theirs = await b.post('/v1/messages', send('bolt', 'u2@gmail.com'));
    assert.equal(theirs.status, 202);
    assert.equal((await a.post('/v1/messages', send('bolt', 'u3@gmail.com'))).status, 403);

    const id = String(theirs.json['message_id']);
    for (const path of [`/v1/messages/${id}`, `/v1/deliveries/${id}.1`]) {
      assert.equal((await a.get(path)).status, 404, path);
      assert.equal((await b.get(path)).status, 200, path);
    }
    const seen = async (path: string): Promise<string> => (await a.get(path)).text;
    for (const path of ['/v1/deliveries', '/v1/events', '/v1/queue?group_by=account', '/v1/campaigns']) {
      assert.match(await seen(path), /acme/, path);
      assert.doesNotMatch(await seen(path), /bolt|u2@/, path);
    }
    assert.equal(((await a.get('/v1/queue')).json['totals'] as { total: number }).total, 1);

    assert.equal((await a.post('/v1/queue/purge', { account_id: 'bolt' })).status, 403);
    const purged = await a.post('/v1/queue/purge', { all: true });
    assert.deepEqual([purged.status, purged.json['matched']], [202, 1]);
    assert.deepEqual(purged.json['selector'], { account_id: 'acme' });
    assert.equal(control.queue.state.counters.sum().queued, 1, 'the mail of the other is there');
    assert.equal((await b.get(`/v1/jobs/${String(purged.json['job'])}`)).status, 404);
    assert.deepEqual((await b.get('/v1/jobs')).json['jobs'], []);

    const foreign = { entries: [{ address: 'x@y.test', account_id: 'bolt' }, { address: 'x@y.test' }] };
    const stopped = await a.post('/v1/stop-list', foreign);
    assert.deepEqual(
      (stopped.json['rejected'] as { field: string }[]).map(({ field }) => field),
      ['account_id'],
    );
    assert.equal(stopped.json['added'], 1);
    assert.deepEqual((await b.get('/v1/stop-list')).json['entries'], []);
    for (const path of ['/v1/status', '/v1/nodes', '/v1/explain?recipient=u2@gmail.com', '/metrics'])
      assert.equal((await a.get(path)).status, 403, path);

    const { entries } = (await control.get('/v1/audit-log')).json as { entries: { actor: object }[] };
    assert.deepEqual(entries.at(-1)?.actor, { kind: 'token', name: 'a', address: '127.0.0.1' });
    await control.post('/v1/queue/hold', { all: true });
    const held = (await b.get(`/v1/deliveries/${id}.1`)).json;
    assert.equal(held['hold'], undefined);
    assert.match(
      String(held['why_waiting']),
      /: hold \d of an operator \(all=true\), which the token b may not lift: ask/,
    );
  });

  test('limits and copies are those of the own account, and a token of senders sets no limits', async (t) => {
    const both: readonly Scope[] = ['inject', 'read', 'operate'];
    const { control, as } = await withTokens(t, [
      tokenOf('a', 'a', both, { accounts: ['acme'] }),
      tokenOf('b', 'b', both, { accounts: ['bolt'] }),
      tokenOf('s', 's', both, { senders: ['promo'] }),
    ]);
    const header = { from: 'news@a.test', content: 'Subject: s\n\nx', campaign_id: 'spring' };
    const batch = (name: string, more: object): ReturnType<Client['post']> =>
      as(name).post('/v1/batches', JSON.stringify({ ...header, ...more }), 'application/x-ndjson');
    const limits = { per_start: 5 };
    const setByBolt = await as('b').post('/v1/campaigns/spring/limits', limits);
    assert.equal(setByBolt.status, 200, setByBolt.text);

    for (const path of ['limits', 'start'])
      for (const name of ['a', 's']) {
        const sent = await as(name).post(`/v1/campaigns/spring/${path}`, { account_id: 'bolt' });
        assert.equal(sent.status, 403, `${path} as ${name}: ${sent.text}`);
      }
    for (const more of [{ limits }, { copies: [{ to: 'w@a.test' }] }, { test: true }])
      assert.equal((await batch('a', { ...more, account_id: 'bolt' })).status, 403);
    const bySender = await batch('s', { sender: 'promo', account_id: 'bolt', limits: {} });
    assert.equal(bySender.status, 403, bySender.text);
    assert.match(bySender.text, /limits hold for all of a campaign/);
    assert.equal(control.injector.requests.length, 0);
    assert.deepEqual([...control.egress.limits], [['bolt/spring', { perStart: 5 }]]);

    assert.equal((await batch('a', { limits: { per_start: 9 } })).status, 200);
    assert.deepEqual(control.egress.limits.get('acme/spring'), { perStart: 9 });
    assert.deepEqual(control.egress.limits.get('bolt/spring'), { perStart: 5 });
  });

  test('limits that an operator set stand against a bound token, whatever its scope', async (t) => {
    const { control, as } = await withTokens(t, [
      tokenOf('a', 'a', ['inject', 'operate'], { accounts: ['acme'] }),
      tokenOf('desk', 'desk', ['operate']),
    ]);
    const limits = { per_start: 5 };
    const set = await as('desk').post('/v1/campaigns/spring/limits', { account_id: 'acme', ...limits });
    assert.equal(set.status, 200, set.text);
    const header = { from: 'news@a.test', content: 'Subject: s\n\nx', campaign_id: 'spring', limits: {} };
    for (const answer of [
      await as('a').post('/v1/campaigns/spring/limits', {}),
      await as('a').post('/v1/campaigns/spring/start', {}),
      await as('a').post('/v1/batches', JSON.stringify(header), 'application/x-ndjson'),
    ]) {
      assert.equal(answer.status, 403, answer.text);
      assert.match(answer.text, /and the token a may not change them/);
    }
    assert.deepEqual([...control.egress.limits], [['acme/spring', { perStart: 5 }]]);
    assert.equal((await as('a').post('/v1/campaigns/autumn/limits', limits)).status, 200);
  });

  test('limits that an operator set stand against a token that may only inject', async (t) => {
    const { control, as } = await withTokens(t, [
      tokenOf('app', 'app', ['inject']),
      tokenOf('desk', 'desk', ['operate']),
    ]);
    const header = { from: 'news@a.test', content: 'Subject: s\n\nx', campaign_id: 'spring' };
    const batch = (per_start: number): ReturnType<Client['post']> =>
      as('app').post(
        '/v1/batches',
        JSON.stringify({ ...header, limits: { per_start } }),
        'application/x-ndjson',
      );
    assert.equal((await batch(5)).status, 200, 'none stand yet');
    assert.equal((await batch(6)).status, 200, 'those of such a token stand');
    assert.equal((await as('desk').post('/v1/campaigns/spring/limits', { per_start: 1 })).status, 200);
    const refused = await batch(7);
    assert.equal(refused.status, 403, refused.text);
    assert.deepEqual([...control.egress.limits], [['/spring', { perStart: 1 }]]);
  });

  test('limits without an account are not those of an account that has the campaign', async (t) => {
    const { control, as } = await withTokens(t, [tokenOf('desk', 'desk', ['inject', 'operate'])]);
    assert.equal((await as('desk').post('/v1/messages', MESSAGE)).status, 202);
    for (const path of ['limits', 'start']) {
      const refused = await as('desk').post(`/v1/campaigns/c1/${path}`, {});
      assert.equal(refused.status, 400, refused.text);
      assert.match(refused.text, /account_id: campaign c1 is of acme: name its account \(--account acme\)/);
    }
    assert.equal(control.egress.limits.size, 0);
    const named = await as('desk').post('/v1/campaigns/c1/limits', { account_id: 'acme', per_start: 1 });
    assert.equal(named.status, 200, named.text);
    assert.equal((await as('desk').post('/v1/campaigns/other/limits', { per_start: 1 })).status, 200);
  });

  test('a token that is bound to senders may name only these', async (t) => {
    const { control, as } = await withTokens(t, [
      tokenOf('s', 's', ['inject', 'read', 'operate'], { senders: ['promo'] }),
    ]);
    await as('s').post('/v1/messages', { ...MESSAGE, sender: 'promo' });
    const [asked] = control.injector.requests;
    assert.deepEqual(asked?.origin.allowedSenders, ['promo']);
    assert.equal(asked.origin.caller, 'token s');
    assert.equal((await as('s').post('/v1/queue/hold', { sender: 'other' })).status, 403);
    const change = { selector: { sender: 'promo' }, target: { sender: 'other' } };
    assert.equal((await as('s').post('/v1/queue/change', change)).status, 403);
    // The fixture's mail goes out by another sender.
    assert.deepEqual((await as('s').get('/v1/deliveries')).json['deliveries'], []);
    assert.equal((await as('s').get('/v1/campaigns')).status, 403);
  });

  test('a message of many senders: each sees its own deliveries of it, in whole pages', async (t) => {
    const { control, as } = await withTokens(t, [
      tokenOf('p', 'p', ['read'], { senders: ['promo'] }),
      tokenOf('n', 'n', ['read'], { senders: ['none'] }),
      tokenOf('a', 'a', ['read'], { accounts: ['bolt'] }),
      tokenOf('all', 'all', ['read']),
    ]);
    const own = [1_201, 1_202, 1_203, 2_500];
    const { id, total } = await manySenders(control, 2_500, (index) => own.includes(index));
    const path = `/v1/messages/${id}`;
    const indexes = ({ json }: Awaited<ReturnType<Client['get']>>): number[] =>
      (json['deliveries'] as { id: string }[]).map((delivery) => Number(delivery.id.split('.')[1]));
    const first = await as('p').get(`${path}?limit=3`);
    assert.deepEqual([first.status, indexes(first), first.json['more']], [200, own.slice(0, 3), true]);
    const second = await as('p').get(`${path}?limit=3&cursor=${String(first.json['next'])}`);
    assert.deepEqual(
      [indexes(second), second.json['more'], second.json['next']],
      [[2_500], false, undefined],
    );
    const exactly = await as('p').get(`${path}?limit=4`);
    assert.deepEqual([indexes(exactly), exactly.json['more']], [own, false]);
    assert.equal((await as('p').get(`${path}/content`)).status, 200);
    for (const name of ['n', 'a'])
      for (const one of [path, `${path}/content`]) assert.equal((await as(name).get(one)).status, 404, name);

    let [cursor, seen] = ['', 0];
    do {
      const page = await as('all').get(`${path}?limit=999${cursor && `&cursor=${cursor}`}`);
      seen += indexes(page).length;
      cursor = (page.json['next'] as string | undefined) ?? '';
    } while (cursor !== '');
    assert.equal(seen, total);
    const wrong = await as('all').get(`${path}?cursor=0a1b2c3d4e5.1`);
    assert.deepEqual([wrong.status, wrong.text.includes('cursor')], [400, true]);
  });

  test('a list of the mail of all: each sees its own, in whole pages', async (t) => {
    const { control, as, client } = await withTokens(t, [
      tokenOf('p', 'p', ['read'], { senders: ['promo'] }),
    ]);
    const own = [1_201, 1_202, 1_203, 2_500];
    await manySenders(control, 2_500, (index) => own.includes(index));
    const page = async (query: string) => {
      const { deliveries, next } = (await as('p').get(`/v1/deliveries?${query}`)).json as {
        deliveries: { id: string }[];
        next?: string;
      };
      return { indexes: deliveries.map(({ id }) => Number(id.split('.')[1])), next };
    };
    const first = await page('limit=3');
    assert.deepEqual(first.indexes, own.slice(0, 3));
    assert.deepEqual(await page(`limit=3&cursor=${first.next}`), { indexes: [2_500], next: undefined });
    assert.deepEqual((await page('campaign_id=mixed&state=undelivered')).indexes, [1_201, 1_203]);

    // More than one request reads through.
    await manySenders(control, 20_000, (index) => index === 20_000);
    const beyond = await page(`limit=3&cursor=${first.next}`);
    assert.deepEqual(beyond.indexes, [2_500], 'a short page');
    assert.notEqual(beyond.next, undefined, 'of many');
    const all: number[] = [];
    for await (const { id } of client('p').deliveries()) all.push(Number(id.split('.')[1]));
    assert.deepEqual(all, [...own, 20_000]);
  });

  test('the journal keeps nothing for a follower with a bound token, which is told of what it missed', async (t) => {
    const { control, as } = await withTokens(t, [
      tokenOf('a', 'a', ['read'], { accounts: ['acme'] }),
      tokenOf('all', 'all', ['read']),
    ]);
    const { clock, queue } = control;
    for (let i = 0; i < 2; i++) await control.post('/v1/messages', MESSAGE);
    const follow = async (name: string): Promise<void> => {
      const sent = as(name)
        .open('GET', '/v1/events?after=0&follow=true')
        .on('error', () => undefined);
      sent.end();
      assert.equal((await headOf(sent)).statusCode, 200);
      t.after(() => sent.destroy());
    };
    const { readers } = queue.state.journal;
    await follow('a');
    assert.equal(readers.slowest, Infinity);
    await follow('all');
    assert.equal(readers.slowest, 2);
    clock.advance(86_400_000);
    await queue.announce({ type: 'config', time: clock.now() });
    await queue.trim({ historyBefore: 0, journalBefore: clock.now() });
    const { lines } = await as('a').get('/v1/events?after=1');
    assert.deepEqual(
      lines.map(({ type, from, to }) => [type, from, to]),
      [['sink_gap', 2, 2]],
    );
  });

  test('a caller that asks too often is told when to come again', async (t) => {
    const { control, as } = await withTokens(t, [
      tokenOf('slow', 'slow', ['read'], { rate: { count: 2, perMs: 10_000 } }),
    ]);
    const ask = (): ReturnType<Client['get']> => as('slow').get('/v1/status');
    assert.deepEqual([(await ask()).status, (await ask()).status], [200, 200]);
    const third = await ask();
    assert.deepEqual([third.status, third.headers['retry-after']], [429, '5']);
    control.clock.advance(5_000);
    assert.equal((await ask()).status, 200);
  });

  test('the socket knows tokens too, and refuses one that is none', async (t) => {
    const control = await startControl(t);
    const server = createControlServer(control.deps, [tokenOf('r', 'r', ['read'])]);
    const path = `${control.path}2`;
    assert.ok((await server.listenSocket(path)).ok);
    t.after(() => server.close());
    const as = (authorization: string): Client => clientOf({ socketPath: path }, { authorization });
    assert.equal((await as('Bearer r').get('/v1/status')).status, 200);
    assert.equal((await as('Bearer r').post('/v1/queue/hold', { all: true })).status, 403);
    assert.equal((await as('Bearer x').get('/v1/status')).status, 401);
    assert.equal((await clientOf({ socketPath: path }).post('/v1/queue/hold', { all: true })).status, 202);
  });

  test('over TLS', async (t) => {
    const control = await startControl(t);
    const server = createControlServer(control.deps, [tokenOf('r', 'r', ['read'])]);
    const file = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../support/tls', name));
    const tls = { cert: file('cert.pem'), key: file('key.pem') };
    const listening = await server.listenTcp('127.0.0.1', 0, tls);
    assert.ok(listening.ok);
    t.after(() => server.close());
    const sent = request({
      ...listening.value,
      path: '/v1/status',
      headers: { authorization: 'Bearer r' },
      rejectUnauthorized: false,
      agent: false,
    });
    assert.equal((await finish(sent)).status, 200);
  });
});
