/** When mail is taken, slowed and refused, and that it goes on by itself. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Pressure } from '../../../src/queue/index.ts';
import { FaultyKv } from './fixture.ts';

const RESERVE = 1_000_000;

function rig(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'pr-pressure-'));
  const disk = { free: 100 * RESERVE };
  const told: string[] = [];
  const pressure = new Pressure({
    dir,
    reserveBytes: RESERVE,
    report: (_, text) => void told.push(text),
    freeBytes: () => disk.free,
  });
  t.after(() => {
    pressure.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { disk, told, pressure, file: join(dir, 'reserve') };
}

test('slows near the reserve, refuses at it, and takes mail again, each told once', async (t) => {
  const { disk, told, pressure } = rig(t);
  assert.deepEqual([pressure.level, pressure.reason], ['none', undefined]);
  disk.free = 2 * RESERVE - 1;
  pressure.measure();
  assert.equal(pressure.level, 'slow');
  assert.equal(await pressure.admit(), true);
  disk.free = RESERVE - 1;
  pressure.measure();
  pressure.measure();
  assert.equal(pressure.level, 'refuse');
  assert.match(pressure.reason!, /are free in .*disk_reserve/);
  assert.equal(await pressure.admit(), false);
  disk.free = 10 * RESERVE;
  pressure.measure();
  assert.equal(pressure.level, 'none');
  assert.deepEqual(told, ['injection is slowed', 'injection is refused', 'mail is taken again']);
});

test('mail that waits for a commit counts', (t) => {
  const { pressure } = rig(t);
  pressure.waits(128 * 1024 * 1024);
  assert.equal(pressure.level, 'slow');
  pressure.waits(128 * 1024 * 1024);
  assert.equal(pressure.level, 'refuse');
  pressure.waits(-256 * 1024 * 1024);
  assert.equal(pressure.level, 'none');
});

test('a failed commit gives the file of the reserve up; a good one, and room, bring it back', async (t) => {
  const { pressure, file } = rig(t);
  await pressure.reserved;
  assert.equal(statSync(file).size, RESERVE);
  const kv = new FaultyKv();
  kv.failures = 1;
  const guarded = pressure.guard({ ...kv, commit: (ops) => kv.commit(ops) });
  await assert.rejects(guarded.commit([]), /disk is full/);
  assert.equal(existsSync(file), false);
  assert.match(pressure.reason!, /the store cannot write: the disk is full/);
  await guarded.commit([]);
  pressure.measure();
  assert.equal(pressure.level, 'none');
  await pressure.reserved;
  assert.equal(statSync(file).size, RESERVE);
});

test('no file is made where there is hardly room', async (t) => {
  const { disk, pressure, file } = rig(t);
  await pressure.reserved;
  rmSync(file);
  disk.free = 3 * RESERVE - 1;
  pressure.measure();
  await pressure.reserved;
  assert.equal(existsSync(file), false);
});
