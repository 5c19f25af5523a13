import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { DeliveryView, ExplainView } from '../../src/api/index.ts';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
import { type Fixture, MESSAGE, startControl, until } from '../unit/api/control-fixture.ts';
import { createPaper } from '../unit/cli/paper.ts';

async function control(t: TestContext): Promise<Fixture> {
  const fixture = await startControl(t);
  fixture.queue.operations.start();
  for (const [campaign, to] of [
    ['spring', ['a@gmail.com', 'b@gmail.com']],
    ['summer', ['a@gmail.com']],
  ] as const) {
    const body = { ...MESSAGE, campaign_id: campaign, envelope: { from: 'news@a.test', to } };
    assert.equal((await fixture.post('/v1/messages', body)).status, 202);
  }
  return fixture;
}

/** An answer waits for its job a moment only. */
const jobsDone = ({ queue }: Fixture): Promise<void> =>
  until(() => queue.operations.list().every(({ state }) => state === 'done'), 'the jobs are done');

/** Runs `postrider queue ARGS` towards the server of the fixture. */
async function queue(
  { path }: Fixture,
  args: readonly string[],
  io: Partial<Pick<Io, 'columns' | 'stdin'>> = {},
): Promise<{ code: number; out: string; err: string }> {
  const paper = createPaper({ env: { POSTRIDER_SOCKET: path }, ...io });
  const code = await run(['queue', ...args], paper);
  return { code, ...paper.printed };
}

async function* typed(text: string): AsyncGenerator<Buffer> {
  await Promise.resolve();
  yield Buffer.from(text);
}

describe('control API', () => {
  test('a dry run counts and changes nothing; then the same is done, and the journal says so', async (t) => {
    const fixture = await control(t);
    const { post, get } = fixture;
    const selector = { campaign_id: 'spring' };
    const dry = await post('/v1/queue/purge', { selector, dry_run: true });
    assert.deepEqual([dry.status, dry.json.matched, dry.json.done, dry.json.dry_run], [200, 2, 0, true]);
    assert.equal(fixture.queue.state.counters.sum().queued, 3);
    const purge = await post('/v1/queue/purge', { selector });
    assert.equal(purge.status, 202);
    await jobsDone(fixture);
    const { json: job } = await get(`/v1/jobs/${String(purge.json.job)}`);
    assert.deepEqual([job.state, job.matched, job.done, job.pending], ['done', 2, 2, 0]);
    const { removed, queued } = fixture.queue.state.counters.sum();
    assert.deepEqual([removed, queued], [2, 1]);
    const said = [...fixture.queue.state.journal.events(0)].filter(({ type }) => type === 'operation');
    assert.deepEqual(
      said.map(({ reason }) => reason),
      ['purge campaign_id=spring'],
    );
  });

  test('held mail is counted as such, and the marks are listed', async (t) => {
    const { post, get } = await control(t);
    // The fields of the selector may also stand by themselves.
    await post('/v1/queue/hold', { campaign_id: 'spring' });
    const report = await get('/v1/queue?group_by=campaign');
    const rows = report.json.rows as { campaign: string; hold: number; total: number }[];
    assert.deepEqual(
      rows.map(({ campaign, hold, total }) => [campaign, hold, total]),
      [
        ['spring', 2, 2],
        ['summer', 0, 1],
      ],
    );
    const marks = report.json.marks as { mark: string; selector: object }[];
    assert.deepEqual(
      marks.map(({ mark, selector }) => [mark, selector]),
      [['hold', { campaign_id: 'spring' }]],
    );
    await post('/v1/queue/release', { all: true });
    assert.deepEqual((await get('/v1/queue')).json.marks, []);
  });

  test('a held delivery names its hold; the command it gives lets that go and nothing else', async (t) => {
    const fixture = await control(t);
    const { clock } = fixture;
    clock.advance(90_500);
    await fixture.post('/v1/queue/hold', { domain: 'gmail.com' });
    await queue(fixture, ['hold', '--recipient', 'a@gmail.com', '--older-than', '1m', '--yes']);
    const [first, second] = (await fixture.get('/v1/deliveries?campaign_id=spring')).json
      .deliveries as DeliveryView[];
    assert.equal(first!.hold?.job, '3');
    assert.deepEqual(second!.hold?.selector, { domain: 'gmail.com' });
    const since = new Date(clock.now()).toISOString();
    const what = `domain=gmail.com); to let it go: postrider queue release --domain gmail.com`;
    assert.equal(second!.why_waiting, `held since ${since} (hold ${second!.hold.job}: ${what}`);
    const path = await fixture.get(`/v1/explain?recipient=${second!.recipient}&sender=promo`);
    const { queued } = path.json as unknown as ExplainView;
    assert.deepEqual(
      queued.map(({ id, state, why_waiting: why }) => [id, state, why]),
      [[second!.id, 'hold', second!.why_waiting]],
    );
    clock.advance(30_000);
    const paper = createPaper({ env: { POSTRIDER_SOCKET: fixture.path } });
    assert.equal(await run(['message', 'show', first!.id], paper), 0);
    const [, by, command] = /held since \S+ \S+, \w+ by (\S+) \(hold 3: .*: postrider queue (.*)\n/.exec(
      paper.printed.out,
    )!;
    assert.equal(by, first!.hold.by);
    assert.equal((await queue(fixture, [...command!.split(' '), '--yes'])).code, 0);
    const states = (await fixture.get('/v1/deliveries?campaign_id=spring')).json.deliveries as DeliveryView[];
    assert.deepEqual(
      states.map(({ state }) => state),
      ['new', 'hold'],
    );
  });

  test('a selector is never empty by accident, and a target has to be there', async (t) => {
    const { post, get, queue: store } = await control(t);
    const cases: readonly [string, object, RegExp][] = [
      ['purge', {}, /selector: selects nothing: give one of sender, node,.* or all: true/],
      ['purge', { selector: {} }, /selects nothing/],
      ['purge', { all: false }, /all: may only be true/],
      ['purge', { all: true, node: 'n1' }, /all: contradicts node/],
      ['purge', { campain_id: 'x' }, /campain_id: unknown field, did you mean "campaign_id"/],
      ['purge', { older_than: 'yesterday' }, /older_than: is not a duration/],
      ['move', { all: true }, /target: is missing/],
      ['move', { all: true, target: {} }, /target: needs exactly one of node and sender/],
      [
        'move',
        { all: true, target: { node: 'n3' } },
        /target\.node: no such node, did you mean "n\d"\?; you may name n1, n2/,
      ],
      [
        'change',
        { all: true, target: { band: 'fast' } },
        /target\.band: expected one of priority, geo, standard/,
      ],
    ];
    for (const [op, body, says] of cases) {
      const answer = await post(`/v1/queue/${op}`, body);
      assert.equal(answer.status, 400, answer.text);
      assert.match((answer.json.error as { message: string }).message, says);
    }
    assert.equal(store.state.counters.sum().queued, 3);
    assert.equal((await get('/v1/jobs/77')).status, 404);
  });

  test('mail moves to another node, to another sender, to another band', async (t) => {
    const fixture = await control(t);
    const { post, queue: store } = fixture;
    const moved = await post('/v1/queue/move', { selector: { node: 'n1' }, target: { node: 'n2' } });
    assert.equal(moved.json.matched, 3);
    await jobsDone(fixture);
    await post('/v1/queue/change', { selector: { recipient: 'b@gmail.com' }, target: { band: 'priority' } });
    await jobsDone(fixture);
    await post('/v1/queue/move', { all: true, target: { sender: 'other' } });
    await jobsDone(fixture);
    const rows = [...store.state.counters.rows()];
    assert.deepEqual(new Set(rows.map(({ node, sender }) => `${node} ${sender}`)), new Set(['n2 other']));
    assert.deepEqual([...store.state.schedule.heads()].filter(({ rank }) => rank === 0).length, 1);
  });
});

describe('postrider queue', () => {
  test('asks on a terminal, and does nothing without a yes', async (t) => {
    const fixture = await control(t);
    const args = ['purge', '--campaign', 'spring'];
    const no = await queue(fixture, args, { columns: 80, stdin: () => typed('n\n') });
    assert.equal(no.code, 1);
    assert.match(no.err, /purge 2 deliveries\? \[y\/N\] nothing was done/);
    const blind = await queue(fixture, args);
    assert.equal(blind.code, 2);
    assert.match(blind.err, /There is no terminal to ask on: add --yes/);
    assert.equal(fixture.queue.state.counters.sum().queued, 3);
    const yes = await queue(fixture, args, { columns: 80, stdin: () => typed('y\n') });
    assert.equal(yes.code, 0);
    assert.match(yes.out, /^purge: \d of 2 deliveries done\b.*\bjob \d+/);
    await jobsDone(fixture);
    assert.equal(fixture.queue.state.counters.sum().queued, 1);
  });

  test('asks nothing where nothing matches, unless it is about what comes later', async (t) => {
    const fixture = await control(t);
    for (const name of ['purge', 'retry', 'move']) {
      const args = [name, '--campaign', 'nobody', ...(name === 'move' ? ['--to-node', 'n2'] : [])];
      // Standard input must not be read.
      const none = await queue(fixture, args, { columns: 80 });
      assert.deepEqual([none.code, none.out], [0, `${name}: nothing matches\n`]);
      assert.doesNotMatch(none.err, /\[y\/N\]/);
    }
    for (const name of ['hold', 'release']) {
      const args = [name, '--campaign', 'nobody'];
      const asked = await queue(fixture, args, { columns: 80, stdin: () => typed('y\n') });
      assert.match(asked.err, new RegExp(`nothing matches now; ${name} what comes later\\? \\[y/N\\]`));
      assert.equal(asked.code, 0);
    }
  });

  test('asks nothing where the quarantine is empty', async (t) => {
    const fixture = await control(t);
    for (const [command, expected] of [
      ['queue', 0],
      ['report', 1],
    ] as const) {
      const paper = createPaper({ env: { POSTRIDER_SOCKET: fixture.path }, columns: 80 });
      const code = await run([command, 'quarantine', 'remove', '--all'], paper);
      assert.deepEqual([code, paper.printed], [expected, { out: 'nothing is in the quarantine\n', err: '' }]);
    }
  });

  test('a dry run says how many fit; hold shows in the list; --json is the answer of the server', async (t) => {
    const fixture = await control(t);
    const dry = await queue(fixture, ['hold', '--domain', 'gmail.com', '--dry-run']);
    assert.deepEqual([dry.code, dry.out], [0, '3 deliveries fit\n']);
    const some = await queue(fixture, ['release', '--domain', 'gmail.com', '--dry-run']);
    assert.equal(some.out, '3 deliveries fit (of these only what is held is touched)\n');
    const hold = await queue(fixture, ['hold', '--domain', 'gmail.com', '--yes', '--json']);
    assert.equal((JSON.parse(hold.out) as { done: number }).done, 3);
    assert.match((await queue(fixture, ['list', '--by', 'domain'])).out, /hold since .*: domain=gmail\.com/);
    const none = await queue(fixture, ['purge', '--campaign', 'nobody', '--yes']);
    assert.equal(none.code, 0);
    assert.match(none.out, /^purge: nothing matches \(job \d+\)\n$/);
    const later = await queue(fixture, ['hold', '--campaign', 'nobody', '--yes']);
    assert.match(later.out, /^hold: nothing matches now \(job \d+\)\n$/);
    const wrong = await queue(fixture, ['release', '--yes']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /nothing is selected: .*--campaign/);
  });
});
