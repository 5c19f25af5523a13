import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leaseFrom } from '../support/queues.ts';
import { type Fixture, MESSAGE, startControl } from '../unit/api/control-fixture.ts';

const REPLY = { code: 451, enhanced: '4.7.1', text: 'greylisted', phase: 'rcpt' } as const;
const MINUTE_MS = 60_000;

async function inject({ post }: Fixture, to: readonly string[] = ['u1@gmail.com']): Promise<string> {
  const answer = await post('/v1/messages', { ...MESSAGE, envelope: { from: 'news@a.test', to } });
  assert.equal(answer.status, 202, answer.text);
  return String(answer.json.message_id);
}

const lease = async ({ queue }: Fixture, domain = 'gmail.com') =>
  (await leaseFrom(queue, { node: 'n1', domain, limit: 1 }))[0]!;

describe('control API', () => {
  test('a message goes to the injector with its labels, and comes back with its deliveries', async (t) => {
    const control = await startControl(t);
    const body = {
      ...MESSAGE,
      band: 'geo',
      deadline: '2h',
      not_before: '2026-03-01T00:00:00Z',
      metadata: { a: 1 },
    };
    const answer = await control.post('/v1/messages', body);
    assert.equal(answer.status, 202);
    const id = String(answer.json.message_id);
    assert.deepEqual(answer.json.deliveries, [{ id: `${id}.1`, recipient: 'u1@gmail.com' }]);
    assert.deepEqual(answer.json.rejected, []);
    const [request] = control.injector.requests;
    assert.deepEqual(request, {
      from: 'news@a.test',
      to: ['u1@gmail.com'],
      content: Buffer.from(MESSAGE.content),
      labels: {
        virtualSender: undefined,
        sender: undefined,
        campaignId: 'c1',
        accountId: 'acme',
        group: undefined,
        band: 'geo',
        deadline: control.clock.now() + 120 * MINUTE_MS,
        notBefore: Date.UTC(2026, 2, 1),
        expires: undefined,
        metadata: { a: 1 },
        idempotencyKey: undefined,
        copies: undefined,
        test: undefined,
      },
      origin: { protocol: 'HTTP', helo: '', peerAddress: 'local' },
      digest: undefined,
    });
  });

  test('parts are composed', async (t) => {
    const control = await startControl(t);
    const parts = { from: 'a@a.test', subject: 'hi', text: 'hello' };
    const rules = { missing: 'refuse', defaults: { name: 'reader' } };
    const answer = await control.post('/v1/messages', { envelope: MESSAGE.envelope, parts, ...rules });
    assert.equal(answer.status, 202, answer.text);
    const {
      parts: given,
      missing,
      defaults,
    } = control.injector.requests[0] as unknown as Record<string, object>;
    assert.deepEqual({ parts: given, missing, defaults }, { parts, ...rules });
  });

  test('good recipients are accepted, bad ones named; none good is a 400', async (t) => {
    const control = await startControl(t);
    const some = { ...MESSAGE, envelope: { from: '', to: ['nobody', 'u1@gmail.com'] } };
    const answer = await control.post('/v1/messages', some);
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.json.rejected, [
      { recipient: 'nobody', message: 'an address has the form local@domain' },
    ]);
    const none = await control.post('/v1/messages', { ...MESSAGE, envelope: { from: '', to: ['nobody'] } });
    assert.equal(none.status, 400);
    assert.match(none.text, /"field":"envelope.to"/);
    assert.equal(control.queue.state.counters.sum().accepted, 1);
  });

  test('a delivery tells its attempts, its next one and why it waits', async (t) => {
    const control = await startControl(t);
    const id = await inject(control);
    const fresh = await control.get(`/v1/deliveries/${id}.1`);
    assert.equal(fresh.json.state, 'new');
    assert.equal(fresh.json.isp, 'gmail');
    assert.equal(fresh.json.why_waiting, 'it is due and waits for its turn');
    control.egress.waiting = 'the rate is used up';
    assert.equal((await control.get(`/v1/deliveries/${id}.1`)).json.why_waiting, 'the rate is used up');

    const leased = await lease(control);
    const proc = (await control.get(`/v1/deliveries/${id}.1`)).json;
    assert.equal(proc.state, 'proc');
    assert.equal(proc.next_attempt, undefined);
    const facts = { time: control.clock.now(), mx: 'mx.gmail.com', reply: REPLY };
    const nextAttemptAt = control.clock.now() + 10 * MINUTE_MS;
    await control.queue.record(leased, { kind: 'deferred', facts, nextAttemptAt });
    const retry = (await control.get(`/v1/deliveries/${id}.1`)).json;
    assert.equal(retry.state, 'retry');
    assert.equal(retry.next_attempt, new Date(nextAttemptAt).toISOString());
    assert.equal(retry.why_waiting, 'the interval of the retry rule is not over');
    assert.deepEqual(retry.attempts, [
      {
        at: new Date(facts.time).toISOString(),
        node: 'n1',
        mx: 'mx.gmail.com',
        outcome: 'soft_bounce',
        reply: REPLY,
      },
    ]);

    control.clock.advance(11 * MINUTE_MS);
    await control.queue.record(await lease(control), {
      kind: 'failed',
      type: 'hard_bounce',
      facts: { ...facts, time: control.clock.now() },
      attempted: true,
    });
    const ended = (await control.get(`/v1/deliveries/${id}.1`)).json;
    assert.deepEqual(ended.final, {
      type: 'hard_bounce',
      at: new Date(control.clock.now()).toISOString(),
      seq: 3,
    });
    assert.equal(ended.why_waiting, undefined);
    const message = (await control.get(`/v1/messages/${id}`)).json;
    assert.equal(message.content_kept, false);
    assert.deepEqual(message.deliveries, [ended]);
  });

  test('a message says when it has more deliveries than were asked for, and gives them page by page', async (t) => {
    const control = await startControl(t);
    const id = await inject(control, ['u1@a.test', 'u2@a.test', 'u3@a.test']);
    const recipients = ({ deliveries }: Readonly<Record<string, unknown>>): string[] =>
      (deliveries as { recipient: string }[]).map(({ recipient }) => recipient);
    const two = (await control.get(`/v1/messages/${id}?limit=2`)).json;
    assert.deepEqual(recipients(two), ['u1@a.test', 'u2@a.test']);
    assert.equal(two.more, true);
    const rest = (await control.get(`/v1/messages/${id}?limit=2&cursor=${String(two.next)}`)).json;
    assert.deepEqual([recipients(rest), rest.more, rest.next], [['u3@a.test'], false, undefined]);
    assert.equal((await control.get(`/v1/messages/${id}?limit=3`)).json.more, false);
    const other = await inject(control, ['u1@a.test']);
    const wrong = await control.get(`/v1/messages/${other}?cursor=${String(two.next)}`);
    assert.deepEqual(
      [wrong.status, wrong.json.error],
      [
        400,
        {
          code: 'invalid_request',
          message: `cursor: it is not of message ${other}`,
          details: [{ field: 'cursor', message: `it is not of message ${other}` }],
        },
      ],
    );
  });

  test('deliveries are found by recipient, campaign and state, page by page', async (t) => {
    const control = await startControl(t);
    await inject(control, ['u1@a.test', 'u2@a.test', 'u3@b.test']);
    const recipients = (json: Readonly<Record<string, unknown>>): string[] =>
      (json.deliveries as { recipient: string }[]).map(({ recipient }) => recipient);
    assert.deepEqual(recipients((await control.get('/v1/deliveries?recipient=u2@a.test')).json), [
      'u2@a.test',
    ]);
    assert.deepEqual(recipients((await control.get('/v1/deliveries?campaign_id=c2')).json), []);
    assert.deepEqual(recipients((await control.get('/v1/deliveries?state=retry')).json), []);
    const first = (await control.get('/v1/deliveries?campaign_id=c1&limit=2')).json;
    assert.deepEqual(recipients(first), ['u1@a.test', 'u2@a.test']);
    const second = (await control.get(`/v1/deliveries?campaign_id=c1&limit=2&cursor=${String(first.next)}`))
      .json;
    assert.deepEqual(recipients(second), ['u3@b.test']);
    assert.equal(second.next, undefined);
  });

  test('the queue is grouped as asked, leased ones apart', async (t) => {
    const control = await startControl(t);
    await inject(control, ['u1@gmail.com', 'u2@gmail.com', 'u3@b.test']);
    await lease(control);
    control.clock.advance(4_000);
    const { rows, totals } = (await control.get('/v1/queue?group_by=isp,node')).json;
    assert.deepEqual(rows, [
      {
        isp: 'gmail',
        node: 'n1',
        new: 1,
        proc: 1,
        retry: 0,
        hold: 0,
        total: 2,
        oldest_seconds: 4,
        per_second: 0,
      },
      {
        isp: 'unresolved',
        node: 'n1',
        new: 1,
        proc: 0,
        retry: 0,
        hold: 0,
        total: 1,
        oldest_seconds: 4,
        per_second: 0,
      },
    ]);
    assert.deepEqual(totals, {
      new: 2,
      proc: 1,
      retry: 0,
      hold: 0,
      total: 3,
      quarantined: 0,
      oldest_seconds: 4,
    });
    const byDomain = (await control.get('/v1/queue?group_by=account,campaign,sender,domain&limit=1')).json;
    assert.deepEqual(byDomain.rows, [
      {
        account: 'acme',
        campaign: 'c1',
        sender: 'main',
        domain: 'gmail.com',
        new: 1,
        proc: 1,
        retry: 0,
        hold: 0,
        total: 2,
        oldest_seconds: 4,
        per_second: 0,
      },
    ]);
    assert.equal(byDomain.more_rows, 1);
  });

  test('campaigns add up, with what is queued of them, how old it is and when it will have ended', async (t) => {
    const control = await startControl(t);
    await inject(control, ['u1@gmail.com', 'u2@gmail.com', 'u3@gmail.com']);
    control.clock.advance(20_000);
    await control.queue.record(await lease(control), {
      kind: 'delivered',
      facts: { time: control.clock.now(), reply: { ...REPLY, code: 250 } },
    });
    control.clock.advance(20_000);
    await control.queue.sweep();
    const { campaigns, next } = (await control.get('/v1/campaigns')).json;
    assert.deepEqual(campaigns, [
      {
        account_id: 'acme',
        campaign_id: 'c1',
        accepted: 3,
        delivered: 1,
        hard_bounced: 0,
        undelivered: 0,
        removed: 0,
        soft_bounces: 0,
        complaints: 0,
        unsubscribes: 0,
        queued: 2,
        new: 2,
        proc: 0,
        retry: 0,
        hold: 0,
        oldest_seconds: 40,
        per_second: 0.05,
        estimated_end: new Date(control.clock.now() + 40_000).toISOString(),
      },
    ]);
    assert.equal(next, undefined);
    const [row] = (await control.get('/v1/queue?group_by=sender,node')).json.rows as object[];
    assert.deepEqual(row, {
      sender: 'main',
      node: 'n1',
      new: 2,
      proc: 0,
      retry: 0,
      hold: 0,
      total: 2,
      oldest_seconds: 40,
      per_second: 0.05,
      estimated_end: new Date(control.clock.now() + 40_000).toISOString(),
    });
    control.egress.limits.set('acme/c1', { rate: { count: 1, perMs: 60_000 } });
    for (const path of ['/v1/campaigns', '/v1/queue?group_by=isp']) {
      const { campaigns: limited, rows = limited } = (await control.get(path)).json;
      const [{ estimated_end: end } = {}] = rows as Record<string, unknown>[];
      assert.equal(end, new Date(control.clock.now() + 120_000).toISOString(), `${path}: two at its rate`);
    }
    await control.post('/v1/queue/hold', { selector: { campaign_id: 'c1' } });
    const [held] = (await control.get('/v1/campaigns')).json.campaigns as Record<string, unknown>[];
    assert.equal(held!.hold, 2);
    assert.equal(held!.estimated_end, undefined, 'what is held has no end');
  });

  test('no row of the queue is older than the queue, also when its oldest has ended since a sweep', async (t) => {
    const control = await startControl(t);
    await inject(control, ['u1@gmail.com']);
    control.clock.advance(60_000);
    await inject(control, ['u2@gmail.com']);
    await control.queue.sweep();
    const facts = { time: control.clock.now(), reply: { ...REPLY, code: 250 } };
    await control.queue.record(await lease(control), { kind: 'delivered', facts });
    control.clock.advance(5_000);
    const { rows, totals } = (await control.get('/v1/queue?group_by=isp')).json;
    assert.equal((totals as { oldest_seconds: number }).oldest_seconds, 5);
    assert.deepEqual(
      (rows as { oldest_seconds: number }[]).map(({ oldest_seconds: oldest }) => oldest),
      [5],
    );
  });

  test('campaigns come in pages, each once, in the order of account and campaign', async (t) => {
    const control = await startControl(t);
    for (const campaign of ['c2', 'c1', 'c10', 'c3', 'c4'])
      for (const account of ['b', 'a'])
        await control.post('/v1/messages', { ...MESSAGE, campaign_id: campaign, account_id: account });
    const found: string[] = [];
    let cursor = '';
    let pages = 0;
    do {
      const { json } = await control.get(`/v1/campaigns?limit=3${cursor}`);
      const campaigns = json.campaigns as { account_id: string; campaign_id: string }[];
      found.push(...campaigns.map((one) => `${one.account_id}/${one.campaign_id}`));
      cursor = json.next === undefined ? '' : `&cursor=${json.next as string}`;
      pages++;
    } while (cursor !== '');
    const names = ['c1', 'c10', 'c2', 'c3', 'c4'];
    assert.deepEqual(found, [...names.map((name) => `a/${name}`), ...names.map((name) => `b/${name}`)]);
    assert.equal(pages, 4);
    const one = (await control.get('/v1/campaigns?campaign_id=c3&account_id=b')).json.campaigns as object[];
    assert.equal(one.length, 1);
    assert.equal((await control.get('/v1/campaigns?cursor=nonsense')).status, 400);
  });

  test('a node that does not run says since when, in status and nodes', async (t) => {
    const control = await startControl(t);
    const told = async (): Promise<unknown[]> => {
      const answers = await Promise.all(['/v1/status', '/v1/nodes'].map((path) => control.get(path)));
      return answers.map(({ json }) => (json.nodes as Record<string, unknown>[])[0]!.state_since);
    };
    assert.deepEqual(await told(), [undefined, undefined]);
    control.egress.standing = { state: 'draining', stateSince: Date.UTC(2026, 0, 2) };
    assert.deepEqual(await told(), ['2026-01-02T00:00:00.000Z', '2026-01-02T00:00:00.000Z']);
  });

  test('status, nodes and health', async (t) => {
    const control = await startControl(t);
    const status = (await control.get('/v1/status')).json;
    assert.equal(status.version, '1.2.3');
    assert.equal(status.uptime_seconds, 5);
    assert.equal(status.durability, 'sync');
    const { nodes } = (await control.get('/v1/nodes')).json as { nodes: { lanes: object[] }[] };
    assert.deepEqual(Object.keys(nodes[0]!.lanes[0]!).sort(), [
      'in_flight',
      'isp',
      'key',
      'max_sessions',
      'queues',
      'rate_per_second',
      'sessions',
      'strategy',
      'waiting',
    ]);
    assert.equal((await control.get('/healthz')).status, 200);
    assert.equal((await control.get('/readyz')).status, 200);
    control.state.ready = false;
    const notReady = await control.get('/readyz');
    assert.equal(notReady.status, 503);
    assert.deepEqual(notReady.json, { ready: false, reasons: ['node n1 is down'] });
    assert.match((await control.get('/metrics')).text, /^postrider_accepted_total 0$/m);
  });

  test('health says so when work waits and no commit comes', async (t) => {
    const control = await startControl(t);
    assert.equal((await control.get('/healthz')).status, 200);
    t.mock.getter(control.queue.state.committer, 'waiting', () => 1);
    control.clock.advance(29_000);
    assert.equal((await control.get('/healthz')).status, 200);
    control.clock.advance(2_000);
    const stuck = await control.get('/healthz');
    assert.equal(stuck.status, 503);
    assert.match(stuck.text, /no commit for 31 s/);
    control.metrics.onCommit({ events: [], ms: 1 });
    assert.equal((await control.get('/healthz')).status, 200);
  });

  test('a reload tells what changed, or all errors', async (t) => {
    const control = await startControl(t);
    const good = await control.post('/v1/config/reload', '');
    assert.deepEqual(good.json, { changed: ['nodes[n1]', 'workers'], needs_restart: ['workers'] });
    control.state.reload = { ok: false, error: ['mta.yaml:1:1 a: wrong', 'mta.yaml:2:1 b: wrong'] };
    const bad = await control.post('/v1/config/reload', '{}');
    assert.equal(bad.status, 422);
    assert.match(bad.text, /the configuration has 2 errors; the running one stays/);
    assert.match(bad.text, /"problems":\["mta.yaml:1:1 a: wrong"/);
  });
});
