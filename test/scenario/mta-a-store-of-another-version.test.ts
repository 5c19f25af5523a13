/** The format of the store is recorded: the one before is migrated at the start, all others are refused with the way out. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { AuditReport, Kv, Table } from '../../src/queue/index.ts';
import { FORMAT, openLmdbKv, openLmdbReader, STORE_FILE } from '../../src/queue/index.ts';
import { textKey } from '../../src/queue/keys.ts';
import type { Op } from '../../src/queue/kv.ts';
import { decode, encode } from '../../src/queue/records.ts';
import { SlotLog } from '../../src/queue/slot-log.ts';
import { BUILT, Mta } from '../support/mta.ts';
import { batch, gate, receiver, routeTo } from '../support/mta-world.ts';

/** More than are leased at once, so that slots are there. */
const COUNT = 2_000;
const MARK = textKey('store');

async function inStore(mta: Mta, change: (kv: Kv) => Promise<void>): Promise<void> {
  const kv = openLmdbKv({ dir: join(mta.dir, 'data'), durability: 'sync' });
  await change(kv);
  await kv.close();
}

const writeFormat = (mta: Mta, format: number): Promise<void> =>
  inStore(mta, async (kv) => {
    const value = encode({ ...decode<object>(kv.get('meta', MARK)!), format });
    await kv.commit([{ table: 'meta', key: MARK, value }]);
  });

async function formatOf(mta: Mta): Promise<number> {
  const kv = openLmdbReader(join(mta.dir, 'data', STORE_FILE));
  const { format } = decode<{ format: number }>(kv.get('meta', MARK)!);
  await kv.close();
  return format;
}

/** The built program with mail in its queue that nobody has taken, ended. */
async function withQueue(t: TestContext): Promise<Mta> {
  const held = await gate(t);
  const mta = await Mta.prepare(t, { routes: [routeTo(held)] });
  mta.program = BUILT;
  await mta.start();
  const body = batch(COUNT, (i) => `d${i % 5}.test`);
  assert.equal((await mta.api('/v1/batches', { type: 'application/x-ndjson', body })).status, 200);
  await mta.kill('SIGKILL');
  await held.close();
  const sink = await receiver(t);
  mta.configure({ routes: [routeTo(sink)] });
  return mta;
}

function auditOf(mta: Mta): AuditReport {
  const args = [BUILT, 'audit', '-c', mta.configFile, '--json'];
  try {
    return JSON.parse(execFileSync(process.execPath, args, { stdio: 'pipe' }).toString()) as AuditReport;
  } catch (error) {
    return JSON.parse(String((error as { stdout: Buffer }).stdout)) as AuditReport;
  }
}

/** Brings a store to what an earlier version would have written. */
const EARLIER: Readonly<Record<number, (kv: Kv) => Op[]>> = {
  2: (kv) => [...cleared(kv, 'recipients'), ...unlogged(kv)],
  3: unlogged,
};

const cleared = (kv: Kv, table: Table): Op[] =>
  [...kv.range(table, {})].map(({ key }) => ({ table, key, value: undefined }));

/** All slots in their table, and no log of them. */
function unlogged(kv: Kv): Op[] {
  const slots = [...new SlotLog(kv).range('schedule', {})];
  assert.ok(slots.length > 0);
  return [
    ...slots.map(({ key, value }) => ({ table: 'schedule' as const, key, value })),
    ...cleared(kv, 'slot_log'),
  ];
}

for (const [format, opsOf] of Object.entries(EARLIER))
  test(`a store of format ${format} is migrated and goes on`, { timeout: 120_000 }, async (t) => {
    const mta = await withQueue(t);
    await inStore(mta, (kv) => kv.commit(opsOf(kv)));
    await writeFormat(mta, Number(format));
    assert.match(auditOf(mta).violations[0]!.text, /a start of this version migrates it/);

    await mta.start();
    const said = mta.log.find(({ msg }) => msg.includes('earlier version'));
    assert.deepEqual([said?.from, said?.to], [Number(format), FORMAT]);
    const found = await mta.api(`/v1/deliveries?recipient=r7@d2.test`);
    assert.equal((found.body as { deliveries: object[] }).deliveries.length, 1, found.text);
    await mta.settled(COUNT);
    await mta.end();
    assert.deepEqual(auditOf(mta).violations, []);
    assert.equal(await formatOf(mta), FORMAT);
  });

for (const { format, words } of [
  {
    format: FORMAT + 1,
    words: /format 5, this version knows formats up to 4: a newer version.*run that one/,
  },
  {
    format: 1,
    words: /format 1, this version reads formats 2, 3 and 4: let the version that wrote it deliver/,
  },
])
  test(`a store of format ${format} is refused and left as it is`, { timeout: 120_000 }, async (t) => {
    const mta = await withQueue(t);
    await writeFormat(mta, format);
    mta.launch();
    const { code } = await mta.exited();
    assert.equal(code, 1, mta.stderr);
    assert.match(mta.stderr, words);
    assert.match(auditOf(mta).violations[0]!.text, words);
    assert.equal(await formatOf(mta), format);

    // The way out: the version that wrote it goes on where it was.
    await writeFormat(mta, FORMAT);
    await mta.start();
    await mta.settled(COUNT);
    await mta.end();
  });
