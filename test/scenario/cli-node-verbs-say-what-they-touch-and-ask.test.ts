import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
import { type Fixture, MESSAGE, startControl } from '../unit/api/control-fixture.ts';
import { createPaper } from '../unit/cli/paper.ts';

async function control(t: TestContext): Promise<Fixture> {
  const fixture = await startControl(t);
  for (const to of ['a@gmail.com', 'b@gmail.com', 'c@else.test'])
    assert.equal(
      (await fixture.post('/v1/messages', { ...MESSAGE, envelope: { from: 'news@a.test', to: [to] } }))
        .status,
      202,
    );
  return fixture;
}

async function node(
  { path }: Fixture,
  args: readonly string[],
  io: Partial<Pick<Io, 'columns' | 'stdin'>> = {},
): Promise<{ code: number; out: string; err: string }> {
  const paper = createPaper({ env: { POSTRIDER_SOCKET: path }, ...io });
  const code = await run(['node', ...args], paper);
  return { code, ...paper.printed };
}

async function* typed(text: string): AsyncGenerator<Buffer> {
  await Promise.resolve();
  yield Buffer.from(text);
}

const terminal = (text: string): Pick<Io, 'columns' | 'stdin'> => ({
  columns: 120,
  stdin: () => typed(text),
});

test('on a terminal what stops a node says how much waits there and asks; no leaves it alone', async (t) => {
  const fixture = await control(t);
  for (const [args, said] of [
    [['lock', 'n1'], /^n1: 3 queued deliveries wait until it is unlocked\. lock n1\? \[y\/N\] /],
    [['lock', 'n1', '--isp', 'gmail'], /^n1 towards gmail: 2 queued deliveries wait/],
    [['lock', 'n1', '--move'], /^n1: 3 queued deliveries move to other nodes of their senders, or wait\. /],
    [['drain', 'n1'], /^n1: 3 queued deliveries are still sent; new mail goes elsewhere\. drain n1\? /],
    [['disable', 'n1'], /^n1: 3 queued deliveries wait until it is resumed\. disable n1\? /],
  ] as const) {
    const { code, err } = await node(fixture, args, terminal('n\n'));
    assert.equal(code, 1);
    assert.match(err, said);
  }
  assert.deepEqual(fixture.egress.asked, []);
  assert.equal((await node(fixture, ['lock', 'n1'], terminal('y\n'))).code, 0);
  assert.equal(fixture.egress.asked.length, 1);
});

test('a dry run only counts; with --yes, and without a terminal, nothing is asked', async (t) => {
  const fixture = await control(t);
  const dry = await node(fixture, ['lock', 'n1', '--isp', 'gmail', '--dry-run', '--json']);
  assert.deepEqual(
    [dry.code, JSON.parse(dry.out)],
    [0, { node: 'n1', isp: 'gmail', queued: 2, dry_run: true }],
  );
  const misspelt = await node(fixture, ['drain', 'n2', '--dry-run']);
  assert.equal(misspelt.code, 1);
  assert.match(misspelt.err, /there is no node n2, did you mean "n1"/);
  assert.deepEqual(fixture.egress.asked, []);
  assert.equal((await node(fixture, ['drain', 'n1', '--yes'], { columns: 80 })).code, 0);
  assert.equal((await node(fixture, ['disable', 'n1'])).code, 0);
  assert.equal(fixture.egress.asked.length, 2);
});
