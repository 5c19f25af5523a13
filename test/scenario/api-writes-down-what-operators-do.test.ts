import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import type { AuditLogView } from '../../src/api/index.ts';
import { run } from '../../src/cli/program.ts';
import { openMemoryKv, Queue } from '../../src/queue/index.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { type Fixture, finish, MESSAGE, startControl } from '../unit/api/control-fixture.ts';
import { createPaper } from '../unit/cli/paper.ts';

const logOf = async ({ get }: Fixture, query = ''): Promise<AuditLogView> =>
  (await get(`/v1/audit-log${query}`)).json as unknown as AuditLogView;

describe('log of operators', () => {
  test('names who did what to how many, and what came of it; questions and dry runs are not in it', async (t) => {
    const control = await startControl(t);
    control.queue.operations.start();
    for (const to of ['a@gmail.com', 'b@gmail.com'])
      await control.post('/v1/messages', { ...MESSAGE, envelope: { from: 'news@a.test', to: [to] } });
    const selector = { campaign_id: 'c1' };
    await control.post('/v1/queue/purge', { selector, dry_run: true });
    await control.get('/v1/queue');
    const purge = await control.post('/v1/queue/purge', { selector });
    const drained = control.open('POST', '/v1/nodes/n1/drain', { 'postrider-user': 'ann' });
    assert.equal((await finish(drained)).status, 200);
    await control.post('/v1/nodes/n9/drain', {});
    await control.post('/v1/stop-list', {
      entries: ['a', 'b', 'c', 'd'].map((name) => ({ address: `${name}@x.test` })),
    });
    const { entries } = await logOf(control);
    assert.deepEqual(
      control.lines.map(({ text }) => text),
      ['queue purge done', 'node drain done', 'node drain refused', 'stop-list add done'].map(
        (text) => `operator: ${text}`,
      ),
      'a line of the log each, which names no recipient',
    );
    assert.ok(!JSON.stringify(control.lines).includes('@'));
    assert.deepEqual(
      entries.map(({ actor, action, selector: what, count, result }) => [
        actor.name,
        action,
        what,
        count,
        result,
      ]),
      [
        [
          '',
          'stop-list add',
          { entries: ['a', 'b', 'c'].map((name) => ({ address: `${name}@x.test` })), of: 4 },
          4,
          'done',
        ],
        ['', 'node drain', { name: 'n9' }, undefined, 'refused'],
        ['ann', 'node drain', { name: 'n1' }, undefined, 'done'],
        ['', 'queue purge', { campaign_id: 'c1' }, 2, 'done'],
      ],
    );
    assert.equal(entries[3]?.job, purge.json.job);
    assert.match(entries[1]?.message ?? '', /there is no node n9/);
  });

  test('has a line in the log too, with what it was on and the kind of refusal, and no recipient', async (t) => {
    const control = await startControl(t);
    await control.post('/v1/nodes/n9/drain', {});
    await control.post('/v1/nodes/n1/lock', { isp: 'gmial', reason: 'told by bob@x.test' });
    await control.post('/v1/queue/hold', {
      selector: { campaign_id: 'c1', recipient: 'bob@x.test', domain: 'x.test', node: 'bob@x.test' },
    });
    await control.post('/v1/queue/hold', { selector: { sender: 7, campaign_id: 'c'.repeat(10_000) } });
    assert.partialDeepStrictEqual(control.lines, [
      { text: 'operator: node drain refused', details: { code: 'not_found', target: { name: 'n9' } } },
      {
        text: 'operator: node lock refused',
        details: { code: 'invalid_request', target: { name: 'n1', isp: 'gmial' } },
      },
      { text: 'operator: queue hold done', details: { target: { campaign_id: 'c1' } } },
      { text: 'operator: queue hold refused', details: { code: 'invalid_request', target: {} } },
    ]);
    assert.ok(!JSON.stringify(control.lines).includes('x.test'));
    assert.ok(JSON.stringify(control.lines).length < 2_000);
  });

  test('has what was done by a call without dry runs, whatever its body says', async (t) => {
    const control = await startControl(t);
    const body = '{"dry_run":true}';
    const head = { 'content-type': 'application/json', 'content-length': String(body.length) };
    await finish(control.open('DELETE', '/v1/locks/5', head), body);
    const { entries } = await logOf(control);
    assert.deepEqual(
      entries.map(({ action }) => action),
      ['node lift'],
    );
  });

  test('has pages, and can be asked for one actor or action', async (t) => {
    const control = await startControl(t);
    for (let i = 0; i < 5; i++) await control.post('/v1/queue/hold', { campaign_id: `c${i}` });
    await control.post('/v1/queue/release', { all: true });
    const first = await logOf(control, '?action=queue%20hold&limit=3');
    const rest = await logOf(control, `?action=queue%20hold&limit=3&cursor=${first.next}`);
    assert.deepEqual(
      [...first.entries, ...rest.entries].map(({ selector }) => selector['campaign_id']),
      ['c4', 'c3', 'c2', 'c1', 'c0'],
    );
    assert.equal(rest.next, undefined);
    const paper = createPaper({ env: { POSTRIDER_SOCKET: control.path } });
    assert.equal(await run(['audit-log', '--action', 'queue release'], paper), 0);
    assert.match(paper.printed.out, /queue release +all=true +0 +done/);
    const wrong = createPaper({ env: { POSTRIDER_SOCKET: control.path } });
    assert.equal(await run(['audit-log', '--action', 'queue hold on'], wrong), 2);
    assert.match(
      wrong.printed.err,
      /no operator has done that: .*queue hold, .*stop-list add.*, did you mean "queue hold"/,
    );
    assert.equal(await run(['audit-log', '--action', 'node drain'], paper), 0, 'known, and not done yet');
  });

  test('has an action that the end of the process cut off, is kept over a restart and trimmed by age', async () => {
    const [kv, clock] = [openMemoryKv(), createFakeClock()];
    const open = async (): Promise<Queue> => (await Queue.open({ kv, clock, report: () => undefined })).queue;
    const operator = { kind: 'token', name: 'ops' } as const;
    const before = await open();
    await before.operatorLog.begin({ operator, action: 'queue purge', selector: { all: true } });
    const after = await open();
    const all = { limit: 10 };
    assert.deepEqual(
      after.operatorLog.list(all).entries.map(({ action, result }) => [action, result]),
      [['queue purge', 'started']],
    );
    clock.advance(1000);
    const kept = await after.operatorLog.begin({ operator, action: 'reload', selector: {} });
    await after.operatorLog.end(kept, { result: 'done' });
    assert.equal(await after.operatorLog.trim(clock.now()), 1);
    assert.deepEqual(
      after.operatorLog.list(all).entries.map(({ action, result }) => [action, result]),
      [['reload', 'done']],
    );
  });

  test('has limits of a batch that change those that stand, and no others', async (t) => {
    const control = await startControl(t);
    const batch = (per_start: number) => {
      const header = { from: 'news@a.test', content: 'Subject: s\n\nx', campaign_id: 'spring' };
      const line = JSON.stringify({ ...header, account_id: 'shop', limits: { per_start } });
      return control.post('/v1/batches', line, 'application/x-ndjson');
    };
    for (const perStart of [5, 5, 7]) assert.equal((await batch(perStart)).status, 200);
    const { entries } = await logOf(control);
    assert.deepEqual(
      entries.map(({ action, selector, result }) => [action, selector, result]),
      [['campaign limits', { id: 'spring', account_id: 'shop', per_start: 7 }, 'done']],
    );
    t.mock.method(control.queue.operatorLog, 'begin', () => Promise.reject(new Error('disk full')));
    assert.equal((await batch(9)).status, 503);
    assert.deepEqual(control.egress.limits.get('shop/spring'), { perStart: 7 });
  });

  test('what cannot be written down is not done', async (t) => {
    const control = await startControl(t);
    t.mock.method(control.queue.operatorLog, 'begin', () => Promise.reject(new Error('disk full')));
    const answer = await control.post('/v1/nodes/n1/drain', {});
    assert.equal(answer.status, 503);
    assert.deepEqual(control.egress.asked, []);
  });
});

test('what is no HTTP gets an error of the usual form', async (t) => {
  const { path } = await startControl(t);
  const socket = connect(path).setEncoding('utf8');
  socket.end('EHLO there\r\n\r\n');
  let text = '';
  for await (const chunk of socket as AsyncIterable<string>) text += chunk;
  const [head = '', body = ''] = text.split('\r\n\r\n');
  assert.match(head, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(head, /content-type: application\/json/);
  const { error } = JSON.parse(body) as { error: { code: string; message: string } };
  assert.equal(error.code, 'invalid_request');
  assert.match(error.message, /not an HTTP\/1\.1 request/);
});
