/** What is known after a crash of how far a leased delivery was: only what had begun may have been sent. */
import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createFakeClock } from '../../support/fake-clock.ts';
import { leaseFrom } from '../../support/queues.ts';
import { auditStore } from '../../support/audit.ts';
import { type Kv, openMemoryKv, Queue, type Recovered, SendingFile } from '../../../src/queue/index.ts';
import { deferred, FaultyKv, newMessage, openRig, type Rig } from './fixture.ts';

const BOOT = '5c7a1f0e-3b52-4d5b-9a53-0c1d7e9f2a64';
const RECIPIENTS = ['a@one.test', 'b@one.test', 'c@one.test'];

interface World {
  readonly dir: string;
  readonly kv: Kv;
}

function world(t: TestContext): World {
  const dir = mkdtempSync(join(tmpdir(), 'postrider-sending-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return { dir, kv: openMemoryKv() };
}

/** A queue, or the one after a crash, with the file of its directory. */
async function open({ dir, kv }: World): Promise<Pick<Rig, 'queue' | 'clock' | 'recovered'>> {
  const clock = createFakeClock();
  const sending = new SendingFile(dir, BOOT);
  return { clock, ...(await Queue.open({ kv, clock, report: () => undefined, sending })) };
}

/** Three leased deliveries, the first of which has begun, the second has begun and was put off. */
async function crashed(t: TestContext): Promise<World> {
  const it = world(t);
  const { queue, clock } = await open(it);
  const rig = { ...(await openRig()), queue, clock };
  await queue.accept(newMessage(rig, { to: RECIPIENTS }));
  const [first, second] = await leaseFrom(queue, { node: 'n1', domain: 'one.test', limit: 3 });
  queue.sending(first!);
  queue.sending(second!);
  await queue.record(second!, deferred(rig));
  return it;
}

const counts = ({ returned, possibleDuplicates }: Recovered): number[] => [returned, possibleDuplicates];

test('what had begun is marked, what was only leased is not', async (t) => {
  const it = await crashed(t);
  const { recovered, queue } = await open(it);
  assert.deepEqual(counts(recovered), [2, 1]);
  const again = await leaseFrom(queue, { node: 'n1', domain: 'one.test', limit: 3 });
  assert.deepEqual(
    again.map(({ record }) => [record.recipient, record.possibleDuplicate]),
    [
      ['a@one.test', true],
      ['c@one.test', undefined],
    ],
  );
  assert.deepEqual(auditStore(it.kv), []);
});

test('a crash before the recovery was stored changes nothing', async (t) => {
  const it = await crashed(t);
  const refusing = { ...it.kv, commit: () => Promise.reject(new Error('the disk is full')) };
  await assert.rejects(open({ ...it, kv: refusing }), /the disk is full/);
  assert.deepEqual(counts((await open(it)).recovered), [2, 1]);
});

test('an end that leaves deliveries leased leaves the file to the next start', async (t) => {
  const it = world(t);
  const { queue, clock } = await open(it);
  await queue.accept(newMessage({ ...(await openRig()), queue, clock }, { to: RECIPIENTS }));
  const [first] = await leaseFrom(queue, { node: 'n1', domain: 'one.test', limit: 3 });
  queue.sending(first!);
  await queue.close();
  assert.deepEqual(counts((await open(it)).recovered), [3, 1]);
});

test('a place is not used again before the outcome is durable', async (t) => {
  const it = { ...world(t), kv: new FaultyKv() };
  const { queue, clock } = await open(it);
  const rig = { ...(await openRig()), queue, clock };
  await queue.accept(newMessage(rig, { to: RECIPIENTS }));
  const [first, second] = await leaseFrom(queue, { node: 'n1', domain: 'one.test', limit: 3 });
  queue.sending(first!);
  it.kv.failures = 1;
  await assert.rejects(queue.record(first!, deferred(rig)), /the disk is full/);
  queue.sending(second!);
  assert.deepEqual(counts((await open(it)).recovered), [3, 2]);
});

const DAMAGES: readonly (readonly [string, (file: string) => void])[] = [
  ['is missing', (file) => rmSync(file)],
  ['is of another boot', (file) => writeFileSync(file, readFileSync(file).fill('0', 0, 36))],
  ['was cut off', (file) => writeFileSync(file, readFileSync(file).subarray(0, -3))],
  ['is damaged', (file) => writeFileSync(file, readFileSync(file).fill(1, 70))],
];
for (const [name, damage] of DAMAGES)
  test(`where the file ${name}, all that was leased is marked`, async (t) => {
    const it = await crashed(t);
    damage(join(it.dir, 'sending'));
    assert.deepEqual(counts((await open(it)).recovered), [2, 2]);
  });

test('where it cannot be written that is told, and all that was leased is marked', async (t) => {
  const it = world(t);
  const told: string[] = [];
  const report = (_level: string, text: string): void => void told.push(text);
  const clock = createFakeClock();
  const sending = new SendingFile(join(it.dir, 'missing'), BOOT);
  const { queue } = await Queue.open({ kv: it.kv, clock, report, sending });
  assert.equal(told.length, 1);
  assert.match(told[0]!, /after a crash all leased ones may arrive twice/);
  await queue.accept(newMessage({ ...(await openRig()), queue, clock }));
  const [one] = await leaseFrom(queue, { node: 'n1', domain: 'one.test', limit: 1 });
  queue.sending(one!);
  assert.deepEqual(counts((await open(it)).recovered), [1, 1]);
});

test('a place is used again, and an end in order leaves no file', async (t) => {
  const it = world(t);
  const { queue, clock } = await open(it);
  const rig = { ...(await openRig()), queue, clock };
  const bytes = (): number => readFileSync(join(it.dir, 'sending')).length;
  const sizes = new Set<number>();
  for (let i = 0; i < 5; i++) {
    await queue.accept(newMessage(rig));
    const [one] = await leaseFrom(queue, { node: 'n1', domain: 'one.test', limit: 1 });
    queue.sending(one!);
    sizes.add(bytes());
    await queue.record(one!, deferred(rig));
  }
  assert.equal(sizes.size, 1);
  await queue.close();
  assert.equal(existsSync(join(it.dir, 'sending')), false);
});

/** Closes the file under the program and puts a directory in its place: it can neither be written, cut off nor removed. */
function lockOut(file: string): void {
  const open = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false; // that of the reading itself
    }
  });
  assert.equal(open.length, 1);
  closeSync(Number(open[0]));
  rmSync(file);
  mkdirSync(file);
}

test('while it can neither be written nor taken away nothing is sent, because the next start would believe it', async (t) => {
  const it = world(t);
  const { queue, clock } = await open(it);
  const rig = { ...(await openRig()), queue, clock };
  await queue.accept(newMessage(rig, { to: RECIPIENTS }));
  const leased = await leaseFrom(queue, { node: 'n1', domain: 'one.test', limit: 3 });
  const file = join(it.dir, 'sending');
  lockOut(file);
  for (const one of leased) assert.throws(() => queue.sending(one));
  rmdirSync(file);
  for (const one of leased) queue.sending(one);
  assert.equal(existsSync(file), false);
  assert.deepEqual(counts((await open(it)).recovered), [3, 3]);
});
