/** One process per data directory, also across kill -9 and when many start at once. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { describe, test, type TestContext } from 'node:test';
import { type InstanceLock, lockInstance, type LockRefusal } from '../../src/queue/index.ts';

const HOLDER = join(import.meta.dirname, 'queue-lock-holder.ts');

interface Answer {
  readonly ok: boolean;
  readonly error?: LockRefusal;
}

interface Starter {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  readonly answer: Answer;
}

function temporary(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'postrider-lock-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A process that has tried for the lock; ended with the test. */
async function start(t: TestContext, dir: string): Promise<Starter> {
  const child = spawn(process.execPath, [HOLDER, dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { process: child, answer: JSON.parse(line) as Answer };
}

async function end({ process: child }: Starter, how: 'kill' | 'release'): Promise<void> {
  const exited = once(child, 'exit');
  if (how === 'kill') child.kill('SIGKILL');
  else child.stdin.end();
  await exited;
}

async function take(dir: string): Promise<InstanceLock> {
  const result = await lockInstance(dir);
  assert.ok(result.ok, result.ok ? '' : result.error.text);
  return result.value;
}

async function refused(dir: string): Promise<LockRefusal> {
  const result = await lockInstance(dir);
  assert.ok(!result.ok, 'the lock was given');
  return result.error;
}

describe('instance lock', () => {
  test('a second process is refused and learns who has it', async (t) => {
    const dir = temporary(t);
    const first = await start(t, dir);
    const second = await start(t, dir);
    assert.equal(first.answer.ok, true);
    assert.equal(second.answer.ok, false);
    const { pid, since, text } = second.answer.error!;
    assert.equal(pid, first.process.pid);
    assert.ok(Date.parse(since!) > 0);
    assert.match(text, new RegExp(`in use by process ${pid} since `));
  });

  test('after kill -9 of the holder the next one gets it', async (t) => {
    const dir = temporary(t);
    const first = await start(t, dir);
    assert.equal(first.answer.ok, true);
    await end(first, 'kill');
    assert.ok(existsSync(join(dir, 'instance.lock')), 'the dead name is still there');
    const second = await start(t, dir);
    assert.equal(second.answer.ok, true);
    assert.equal((await refused(dir)).pid, second.process.pid);
  });

  test('a released lock leaves nothing and can be taken again', async (t) => {
    const dir = temporary(t);
    await end(await start(t, dir), 'release');
    assert.equal(existsSync(join(dir, 'instance.lock')), false);
    const lock = await take(dir);
    await lock.release();
    await lock.release(); // twice is once
    await (await take(dir)).release();
  });

  for (const before of ['nothing', 'a dead socket'] as const) {
    test(`of ten that start at once over ${before} exactly one wins`, { timeout: 60_000 }, async (t) => {
      const dir = temporary(t);
      if (before === 'a dead socket') await end(await start(t, dir), 'kill');
      const starters = await Promise.all(Array.from({ length: 10 }, () => start(t, dir)));
      const winners = starters.filter(({ answer }) => answer.ok);
      assert.equal(winners.length, 1);
      const named = starters.filter(({ answer }) => !answer.ok).map(({ answer }) => answer.error!.pid);
      assert.deepEqual(new Set(named), new Set([winners[0]!.process.pid]));
    });
  }

  test('tries in one process, over a dead socket, take turns: all but one are refused', async (t) => {
    const dir = temporary(t);
    await end(await start(t, dir), 'kill');
    const results = await Promise.all(Array.from({ length: 20 }, () => lockInstance(dir)));
    const won = results.filter((result) => result.ok);
    assert.equal(won.length, 1);
    assert.equal((await refused(dir)).pid, process.pid);
    await won[0]!.value.release();
  });

  test('a directory is the same by any of its paths', async (t) => {
    const dir = temporary(t);
    symlinkSync(dir, `${dir}-link`);
    t.after(() => rmSync(`${dir}-link`));
    const lock = await take(dir);
    assert.equal((await refused(`${dir}-link`)).pid, process.pid);
    await lock.release();
  });

  test('a path that is too long for a socket can be locked', async (t) => {
    const dir = join(temporary(t), 'long'.repeat(50));
    mkdirSync(dir);
    if (!existsSync('/proc/self/fd')) return t.skip('there is no /proc here, so long paths cannot be locked');
    const lock = await take(dir);
    assert.equal((await refused(dir)).pid, process.pid);
    await lock.release();
  });

  test('what cannot be locked is refused with the reason', async (t) => {
    const dir = temporary(t);
    const file = join(dir, 'file');
    writeFileSync(file, '');
    assert.match((await refused(join(dir, 'missing'))).text, /missing does not exist$/);
    assert.match((await refused(file)).text, /file is not a directory$/);
    writeFileSync(join(dir, 'instance.lock'), '');
    assert.match((await refused(dir)).text, /instance\.lock is not a socket; remove it$/);
    if (!existsSync('/proc/self')) return;
    assert.match((await refused('/proc/self')).text, /cannot be written to by this user$/);
  });
});
