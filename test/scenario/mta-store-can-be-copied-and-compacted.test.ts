/** Backup beside the server, restored to a queue that goes on; compaction; what is readable of a damaged store. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLmdbReader } from '../../src/queue/index.ts';
import { readStoreMark } from '../../src/queue/store-mark.ts';
import { ends, MAIN, Mta } from '../support/mta.ts';
import { batch, eventually, gate, receiver, routeTo } from '../support/mta-world.ts';

const COUNT = 600;
/** Deliveries on pages that are damaged, far from each other; and more than are on one page. */
const SPOILED = [100, 500];
const PAGE = 30;
/** A user that is not the one of this test. */
const SERVICE = 4321;

interface Ran {
  readonly code: number;
  readonly out: string;
}

function postrider(...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), out: `${stdout}${stderr}` }),
    );
  });
}

test('a backup beside the server restores to a queue that goes on', { timeout: 300_000 }, async (t) => {
  const held = await gate(t);
  const mta = await Mta.prepare(t, { routes: [routeTo(held)], secret_file: 'return-paths.key' });
  const key = join(mta.dir, 'return-paths.key');
  writeFileSync(key, 'c0ffee'.repeat(12), { mode: 0o600 });
  await mta.start();
  const ndjson = { type: 'application/x-ndjson', body: batch(COUNT) };
  assert.equal((await mta.api('/v1/batches', ndjson)).status, 200);
  await eventually(() => held.held.size > 0, 'mail is on its way');
  const busy = mta.api('/v1/batches', { ...ndjson, body: batch(COUNT, () => 'other.test') });
  const copy = join(mta.dir, 'copy');
  const cutOff = join(copy, 'postrider-backup.partial');
  mkdirSync(cutOff, { recursive: true });
  writeFileSync(join(cutOff, 'queue.mdb'), 'what a backup that was killed left');
  const made = await postrider('backup', copy, '-c', mta.configFile);
  assert.equal(made.code, 0, made.out);
  assert.match(made.out, /the audit is clean/);
  assert.ok(readFileSync(join(copy, 'secret')).equals(readFileSync(key)));
  assert.ok(made.out.includes(`Its file secret is a copy of ${key}: put it there.`), made.out);
  assert.deepEqual(
    readdirSync(copy).filter((name) => name !== 'queue.mdb-lock'),
    ['queue.mdb', 'secret'],
  );
  const failing = join(mta.dir, 'failing');
  mkdirSync(join(failing, 'secret'), { recursive: true });
  assert.equal((await postrider('backup', failing, '-c', mta.configFile)).code, 1);
  assert.deepEqual(readdirSync(failing), ['secret'], 'a copy without its secret is no store');
  assert.equal((await busy).status, 200);
  const again = await postrider('backup', copy, '-c', mta.configFile);
  assert.equal(again.code, 1);
  assert.match(again.out, /exists; name a directory without a store/);
  assert.match((await postrider('compact', '-c', mta.configFile)).out, /is in use by process \d+/);
  const [newest] = await mta.events('after=-1');

  await mta.kill('SIGKILL');
  await held.close();
  rmSync(join(mta.dir, 'data'), { recursive: true });
  renameSync(copy, join(mta.dir, 'data'));
  const sink = await receiver(t);
  mta.configure({ routes: [routeTo(sink)] });
  const compact = join(mta.dir, 'data', 'compact');
  mkdirSync(compact);
  writeFileSync(join(compact, 'queue.mdb'), 'what a compact that was killed left');
  await mta.start();
  assert.ok(!existsSync(compact));
  assert.ok(mta.log.some(({ msg }) => msg === 'what a compact that was cut off had left is removed'));
  await eventually(async () => (await mta.status()).queue.total === 0, 'all is sent');
  const [gap, next] = await mta.events(`after=${newest!.seq}&limit=2`);
  assert.deepEqual([gap?.type, gap?.from, next?.seq], ['sink_gap', newest!.seq + 1, gap!.to! + 1]);
  const ended = ends(await mta.events()).map((event) => event.delivery_id);
  assert.equal(new Set(ended).size, ended.length, 'each delivery ends once');
  assert.deepEqual(await mta.kill('SIGTERM'), { code: 0, signal: null }, mta.stderr);
  assert.ok(sink.stats().distinctRecipients >= COUNT, 'what was accepted before the copy');

  const file = join(mta.dir, 'data', 'queue.mdb');
  if (process.getuid!() === 0) chownSync(file, SERVICE, SERVICE);
  chmodSync(file, 0o640);
  const before = statSync(file);
  const compacted = await postrider('compact', '-c', mta.configFile);
  assert.equal(compacted.code, 0, compacted.out);
  const after = statSync(file);
  assert.ok(after.size < before.size, `${after.size} of ${before.size}`);
  assert.deepEqual([after.uid, after.gid, after.mode], [before.uid, before.gid, before.mode]);
  assert.ok(!existsSync(compact));
  await mta.audit();
});

/** Spoils pages that hold a text, as a disk would. */
function spoil(file: string, text: string, most: number): number {
  const bytes = readFileSync(file);
  const fd = openSync(file, 'r+');
  let spoilt = 0;
  for (let page = 8 * 4096; page < bytes.length && spoilt < most; page += 4096) {
    if (!bytes.subarray(page, page + 4096).includes(text)) continue;
    writeSync(fd, Buffer.alloc(4096, 0xff), 0, 4096, page);
    spoilt++;
  }
  return spoilt;
}

interface Copied {
  readonly table: string;
  readonly entries: number;
  readonly missing: number;
  readonly gaps: readonly object[];
}

test('a damaged page is found without harm, and the rest is salvaged', { timeout: 300_000 }, async (t) => {
  const held = await gate(t);
  const mta = await Mta.start(t, { routes: [routeTo(held)] });
  await mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(COUNT) });
  await mta.kill('SIGKILL');
  const data = join(mta.dir, 'data');
  mkdirSync(join(mta.dir, 'sound'));
  cpSync(data, join(mta.dir, 'sound'), {
    recursive: true,
    filter: (from) => !from.endsWith('instance.lock'),
  });
  mkdirSync(join(mta.dir, 'headless'));
  cpSync(join(mta.dir, 'sound'), join(mta.dir, 'headless'), { recursive: true });
  const head = openSync(join(mta.dir, 'headless', 'queue.mdb'), 'r+');
  writeSync(head, Buffer.alloc(4096, 0xff), 0, 4096, 0);
  for (const reader of SPOILED) assert.ok(spoil(join(data, 'queue.mdb'), `"Reader ${reader}"`, 1) > 0);
  const audited = await postrider('audit', '--data-dir', data);
  assert.equal(audited.code, 1, audited.out);

  const target = join(mta.dir, 'salvaged');
  const salvaged = await postrider('salvage', target, '--data-dir', data, '--json');
  assert.equal(salvaged.code, 1, salvaged.out);
  const { tables } = JSON.parse(salvaged.out) as { tables: Copied[] };
  const { entries, missing, gaps } = tables.find(({ table }) => table === 'deliveries')!;
  const lost = COUNT - entries;
  assert.ok(lost > 0 && lost < PAGE * SPOILED.length, `${entries} of ${COUNT} deliveries came over`);
  assert.deepEqual([missing, gaps.length], [lost, SPOILED.length]);
  const sound = await postrider(
    'salvage',
    join(mta.dir, 'all'),
    '--data-dir',
    join(mta.dir, 'sound'),
    '--json',
  );
  assert.equal(sound.code, 0, sound.out);
  const older = join(mta.dir, 'older');
  await postrider('salvage', older, '--data-dir', join(mta.dir, 'headless'));
  const isCopy = async (dir: string): Promise<boolean> => {
    const kv = openLmdbReader(join(dir, 'queue.mdb'));
    const mark = readStoreMark(kv);
    await kv.close();
    return mark?.copy === true;
  };
  assert.equal(await isCopy(join(mta.dir, 'all')), false);
  assert.equal(await isCopy(older), true, 'it may be one commit behind: its events get other numbers');
});
