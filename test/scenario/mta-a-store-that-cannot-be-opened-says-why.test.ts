/** A file that is no store, one that was cut short, and one whose damage ends the process that opens it. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { lookAtStore, openLmdbKv, STORE_FILE } from '../../src/queue/index.ts';
import { encode } from '../../src/queue/records.ts';
import { Mta, scratch } from '../support/mta.ts';

const PAGE = 4096;
const ENTRIES = 2_000;

/** A data directory whose store has something in it. */
async function withStore(t: TestContext): Promise<{ mta: Mta; file: string }> {
  const mta = await Mta.prepare(t);
  await mta.start();
  await mta.kill('SIGTERM');
  const dir = join(mta.dir, 'data');
  const kv = openLmdbKv({ dir, durability: 'sync' });
  for (let at = 0; at < ENTRIES; at += 500)
    await kv.commit(
      Array.from({ length: 500 }, (_, i) => {
        const key = Buffer.alloc(8);
        key.writeUInt32BE(at + i);
        return { table: 'limits' as const, key, value: encode({ text: 'x'.repeat(100) }) };
      }),
    );
  await kv.close();
  return { mta, file: join(dir, STORE_FILE) };
}

async function refusal(mta: Mta): Promise<string> {
  mta.launch();
  const { code, signal } = await mta.exited();
  assert.deepEqual([code, signal], [1, null], mta.stderr);
  return mta.stderr;
}

test('a file that is no store is refused and left as it is', { timeout: 120_000 }, async (t) => {
  const mta = await Mta.prepare(t);
  const dir = join(mta.dir, 'data');
  mkdirSync(dir);
  const file = join(dir, STORE_FILE);
  for (const bytes of [Buffer.from('hello'), Buffer.alloc(50 * PAGE, 'x')]) {
    writeFileSync(file, bytes);
    assert.match(
      await refusal(mta),
      /is not a store: it has no head\. Put a backup in its place, or move it/,
    );
    assert.ok(readFileSync(file).equals(bytes));
  }
});

test('a file whose making was cut off, before anything was stored, is made anew', async (t) => {
  const dir = scratch(t);
  for (const bytes of [0, PAGE, 2 * PAGE]) {
    writeFileSync(join(dir, STORE_FILE), Buffer.alloc(bytes));
    assert.equal(lookAtStore(join(dir, STORE_FILE)), 'missing');
    const kv = openLmdbKv({ dir, durability: 'sync' });
    await kv.commit([{ table: 'meta', key: Buffer.of(1), value: Buffer.of(1) }]);
    await kv.close();
    assert.equal(lookAtStore(join(dir, STORE_FILE)), 'whole');
    rmSync(join(dir, STORE_FILE));
  }
});

test('a store that was cut short is refused with the way out', { timeout: 120_000 }, async (t) => {
  const { mta, file } = await withStore(t);
  truncateSync(file, 4 * PAGE);
  assert.equal(lookAtStore(file), 'short');
  assert.match(await refusal(mta), /SIG(BUS|SEGV).*postrider salvage DIR.*or a backup, in place of/);
});

test(
  'after a start that died while it opened a store, the next one walks it first',
  { timeout: 120_000 },
  async (t) => {
    const { mta, file } = await withStore(t);
    const mark = join(mta.dir, 'data', 'opening');
    writeFileSync(mark, '..');
    await mta.start();
    assert.ok(mta.log.some(({ msg }) => /a start ended while it opened the store/.test(msg)));
    assert.equal(existsSync(mark), false, 'a sound store is opened all the same');
    await mta.kill('SIGTERM');

    const kv = openLmdbKv({ dir: join(mta.dir, 'data'), durability: 'sync' });
    await kv.commit([{ table: 'messages', key: Buffer.alloc(8, 1), value: Buffer.from('rubbish') }]);
    await kv.close();
    writeFileSync(mark, '..');
    assert.match(
      await refusal(mta),
      /2 starts ended while they opened it.*names 1 violations.*To try once more/s,
    );
    assert.equal(lookAtStore(file), 'whole');
    rmSync(mark);
    await mta.start();
    await mta.kill('SIGTERM');
  },
);

test('a walk is cut off by a signal to end, and made by the next start', { timeout: 120_000 }, async (t) => {
  const { mta } = await withStore(t);
  const mark = join(mta.dir, 'data', 'opening');
  writeFileSync(mark, '.');
  mta.launch();
  assert.ok(await mta.heard(({ msg }) => /the store is walked through/.test(msg)), mta.stderr);
  mta.signal('SIGTERM');
  assert.deepEqual(await mta.exited(), { code: 0, signal: null }, mta.stderr);
  const said = mta.log.map(({ msg }) => msg);
  assert.deepEqual(said.slice(-2), ['SIGTERM: ends as soon as the store is open', 'ended in order']);
  assert.equal(existsSync(mark), true);
  await mta.start();
  assert.ok(mta.log.some(({ msg }) => /the store is walked through/.test(msg)));
  await mta.kill('SIGTERM');
});
