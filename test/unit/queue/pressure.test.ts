/** When mail is taken, slowed and refused, and that it goes on by itself. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Pressure } from '../../../src/queue/index.ts';
import type { Op } from '../../../src/queue/kv.ts';
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
  return { dir, disk, told, pressure, file: join(dir, 'reserve') };
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

test('the store is not asked to write where there is no room, nor where the file system takes nothing', async (t) => {
  const { disk, pressure, file, dir } = rig(t);
  await pressure.reserved;
  const kv = new FaultyKv();
  const guarded = pressure.guard({ ...kv, commit: (ops) => kv.commit(ops) });
  const op = { table: 'meta', key: Buffer.of(1), value: Buffer.alloc(1_000) } as const;
  disk.free = RESERVE / 4 + 1_999;
  await assert.rejects(guarded.commit([op]), /no space is left, 0 MB are free/);
  assert.equal(existsSync(file), false, 'the reserve is given up before');
  assert.deepEqual([pressure.failing, kv.commits], [true, 0]);
  assert.match(pressure.ofDisk!.remedy, /make room/);
  disk.free = RESERVE / 4 + 2_000;
  await guarded.commit([op]);
  assert.deepEqual([pressure.failing, kv.commits], [false, 1]);

  pressure.close();
  rmSync(dir, { recursive: true });
  disk.free = 100 * RESERVE;
  await assert.rejects(guarded.commit([op]), /ENOENT/);
  assert.equal(kv.commits, 1);
  assert.match(pressure.ofDisk!.remedy, /dmesg/);
});

test('a store that failed is taken for well again by a commit, not by time', (t) => {
  const { told, pressure } = rig(t);
  const kv = new FaultyKv();
  kv.failures = 1;
  const guarded = pressure.guard({ ...kv, commit: (ops) => kv.commit(ops) });
  return assert.rejects(guarded.commit([])).then(async () => {
    for (let i = 0; i < 5; i++) pressure.measure();
    assert.deepEqual([pressure.level, pressure.failing], ['refuse', true]);
    await guarded.commit([]);
    pressure.measure();
    assert.deepEqual(told, ['injection is refused', 'mail is taken again']);
  });
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

test('what can wait has the room beside the reserve, and none while the store fails', async (t) => {
  const { disk, pressure } = rig(t);
  const kv = new FaultyKv();
  const guarded = pressure.guard({ ...kv, commit: (ops) => kv.commit(ops) });
  assert.equal(guarded.spare!(), 99 * RESERVE);
  disk.free = RESERVE + 7;
  assert.equal(guarded.spare!(), 7, 'it looks again where that may matter');
  disk.free = RESERVE / 2;
  assert.equal(guarded.spare!(), 0);
  disk.free = 3 * RESERVE;
  kv.failures = 1;
  await assert.rejects(guarded.commit([]));
  assert.equal(guarded.spare!(), 0);
});

test('each slot of a commit may need a page', async (t) => {
  const { disk, pressure } = rig(t);
  const kv = new FaultyKv();
  const guarded = pressure.guard({ ...kv, commit: (ops) => kv.commit(ops) });
  const slots = Array.from({ length: 10 }, (_, i): Op => ({
    table: 'schedule',
    key: Buffer.of(i),
    value: i % 2 === 0 ? Buffer.alloc(0) : undefined,
  }));
  disk.free = RESERVE / 4 + 10 * 4096 - 1;
  await assert.rejects(guarded.commit(slots), /no space is left/);
  disk.free++;
  await guarded.commit(slots);
  assert.equal(kv.commits, 1);
});
