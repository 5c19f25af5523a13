/** bin/child.mjs stands between an operator (or npm, or systemd) and the program: signals go through, Ctrl-C once. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';

const CHILD = join(import.meta.dirname, '../../bin/child.mjs');
/** Says each signal that it gets, and ends with 7 on SIGTERM. */
const PROGRAM = `
  for (const signal of ['SIGHUP', 'SIGINT']) process.on(signal, () => console.log(signal));
  process.on('SIGTERM', () => process.exit(7));
  setInterval(() => undefined, 1000);
  console.log('ready');`;
const PARENT = `
  import { runChild } from ${JSON.stringify(CHILD)};
  process.exitCode = await runChild(process.execPath, ['-e', ${JSON.stringify(PROGRAM)}]);`;

type Parent = ChildProcessByStdio<null, Readable, null>;

function start(t: TestContext): { parent: Parent; lines: AsyncIterator<string> } {
  const parent = spawn(process.execPath, ['--input-type=module', '-e', PARENT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => parent.kill());
  return { parent, lines: createInterface(parent.stdout)[Symbol.asyncIterator]() };
}

test(
  'every reload is passed on, also two in one second; its exit status is ours',
  { timeout: 60_000 },
  async (t) => {
    const { parent, lines } = start(t);
    assert.equal((await lines.next()).value, 'ready');
    for (let i = 0; i < 3; i++) {
      parent.kill('SIGHUP');
      assert.equal((await lines.next()).value, 'SIGHUP');
    }
    const exited = once(parent, 'exit');
    parent.kill('SIGTERM');
    assert.deepEqual(await exited, [7, null]);
  },
);

test('a Ctrl-C that npm repeats is one', { timeout: 60_000 }, async (t) => {
  const { parent, lines } = start(t);
  assert.equal((await lines.next()).value, 'ready');
  parent.kill('SIGINT');
  assert.equal((await lines.next()).value, 'SIGINT');
  parent.kill('SIGINT');
  parent.kill('SIGHUP');
  assert.equal((await lines.next()).value, 'SIGHUP');
  const exited = once(parent, 'exit');
  parent.kill('SIGTERM');
  assert.deepEqual(await exited, [7, null]);
});
