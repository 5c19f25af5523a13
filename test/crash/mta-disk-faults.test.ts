/** Disks that fill up, turn read-only or are slow: new mail waits outside, what was accepted goes out and is recorded. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SAME_MS } from '../../src/cli/interruption.ts';
import type { Event } from '../../src/core/index.ts';
import { FileSystem } from '../support/file-system.ts';
import { type Answer, MAIN, Mta, RUNNING } from '../support/mta.ts';
import { batch, eventually, FROM, gate, mail, receiver, routeTo, submit } from '../support/mta-world.ts';
import { storeShim } from '../support/store-shim.ts';

const QUEUED = 30;
/** Room for the lock of a store and for a part of the store itself. */
const PART_BYTES = 200 * 1024;
const CONTENT_BYTES = 2 * PART_BYTES;

const message = (to: string): { body: string } => ({
  body: JSON.stringify({ envelope: { from: FROM, to: [to] }, content: mail(to).toString('latin1') }),
});
const inject = (mta: Mta, to: string): Promise<Answer> => mta.api('/v1/messages', message(to));

/** Writes until nothing fits any more. */
function fill(file: string): void {
  const fd = openSync(file, 'w');
  try {
    for (const size of [1 << 20, 1 << 12, 1]) {
      try {
        for (;;) if (writeSync(fd, Buffer.alloc(size, 1)) < size) break;
      } catch {
        // Full: smaller pieces may still fit.
      }
    }
  } finally {
    closeSync(fd);
  }
}

test(
  'a full disk: mail is refused, outcomes are recorded, and it goes on by itself',
  { timeout: 300_000 },
  async (t) => {
    const held = await gate(t);
    const mta = await Mta.prepare(t, { routes: [routeTo(held)], disk_reserve: '4MB' });
    const disk = FileSystem.memory(t, mta.dir, 64);
    if (!disk) return;
    try {
      await mta.start();
      const sent = await mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(QUEUED) });
      assert.equal(sent.status, 200);
      await eventually(() => held.held.size > 0, 'mail is at the receiver');
      fill(join(disk.path, 'filler'));
      await eventually(
        async () => (await inject(mta, 'late@to.test')).status === 503,
        'the socket refuses mail',
      );
      const refused = await inject(mta, 'late@to.test');
      assert.match(refused.text, /try again later/);
      const smtp = await submit(await mta.session(), 'late@to.test', mail('late@to.test'));
      assert.equal(smtp.recipients[0]?.ok, false);
      assert.match(JSON.stringify(smtp), /452/);
      const { ready, not_ready: why } = await mta.status();
      assert.deepEqual([ready, /injection is refused/.test(why.join())], [false, true]);

      held.open();
      const { counters } = await mta.status();
      const accepted = counters.accepted;
      await eventually(
        async () => (await mta.status()).counters.delivered === accepted,
        'all outcomes are recorded',
      );
      rmSync(join(disk.path, 'filler'));
      await eventually(
        async () => (await inject(mta, 'again@to.test')).status === 202,
        'mail is taken again',
      );
      await eventually(async () => (await mta.status()).queue.total === 0, 'it is sent');
      await mta.kill('SIGTERM');
      await mta.audit();
    } finally {
      await mta.kill('SIGKILL');
      disk.unmount();
    }
  },
);

/** What a command says that cannot do its work. */
function refusalOf(mta: Mta, command: readonly string[]): string {
  const args = [MAIN, ...command, '-c', mta.configFile];
  const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.deepEqual([status, signal], [1, null], command.join(' '));
  return stderr;
}

test('where nothing fits any more, what works on the store says so', { timeout: 120_000 }, async (t) => {
  const mta = await Mta.prepare(t, { disk_reserve: '1MB' });
  const disk = FileSystem.memory(t, mta.dir, 16);
  if (!disk) return;
  try {
    await mta.start();
    const text = 'x'
      .repeat(70)
      .concat('\r\n')
      .repeat(CONTENT_BYTES / 72);
    const content = mail('a@to.test').toString('latin1') + text;
    const body = JSON.stringify({ envelope: { from: FROM, to: ['a@to.test'] }, content });
    assert.equal((await mta.api('/v1/messages', { body })).status, 202);
    await mta.kill('SIGTERM');
    rmSync(join(disk.path, 'queue.mdb-lock'));
    for (const name of ['filler', 'more']) fill(join(disk.path, name));
    const copy = join(disk.path, 'copy');
    for (const command of [['audit'], ['compact'], ['backup', copy], ['serve']])
      assert.match(refusalOf(mta, command), /no space (is )?left/i, command.join(' '));
    assert.equal(existsSync(join(disk.path, 'probe')), false, 'an end in order leaves no probe');
    rmSync(join(disk.path, 'more'));
    truncateSync(join(disk.path, 'filler'), statSync(join(disk.path, 'filler')).size - PART_BYTES);
    for (const command of [['compact'], ['backup', copy]])
      assert.match(refusalOf(mta, command), /could not be made: .*No space left/, command.join(' '));
    for (const half of [join(disk.path, 'compact'), join(copy, 'queue.mdb')])
      assert.equal(existsSync(half), false, 'no half of a copy is left');
  } finally {
    await mta.kill('SIGKILL');
    disk.unmount();
  }
});

test('a disk that turns read-only: mail is refused, nothing is lost', { timeout: 300_000 }, async (t) => {
  const held = await gate(t);
  const mta = await Mta.prepare(t, { routes: [routeTo(held)], disk_reserve: '1MB' });
  const disk = FileSystem.ext4(t, mta.dir, 64);
  if (!disk) return;
  try {
    await mta.start();
    await mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(QUEUED) });
    disk.breakDown();
    await eventually(async () => (await inject(mta, 'late@to.test')).status === 503, 'mail is refused');
    assert.equal((await mta.status()).counters.accepted, QUEUED, 'it lives and answers');
    await mta.kill('SIGKILL');
    assert.match(refusalOf(mta, ['serve']), /data is on a file system that is read-only: see dmesg/);
    await held.close();
    disk.unmount();
    disk.repair();
    disk.mount();
    await mta.audit();
    const sink = await receiver(t);
    mta.configure({ routes: [routeTo(sink)] });
    await mta.start();
    await mta.settled(QUEUED);
    await mta.end();
    assert.equal(sink.stats().distinctRecipients, QUEUED);
  } finally {
    await mta.kill('SIGKILL');
    disk.unmount();
  }
});

test('a slow disk: injections share its syncs', { timeout: 300_000 }, async (t) => {
  const shim = storeShim(t);
  if (!shim) return;
  const sink = await receiver(t);
  const mta = await Mta.prepare(t, { routes: [routeTo(sink)] });
  mta.launch({ env: shim({ SYNC_DELAY_MS: 200 }) });
  await mta.heard(({ msg }) => msg === 'postrider is running');
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => inject(mta, `r${i}@to.test`)));
  assert.ok(answers.every(({ status }) => status === 202));
  const events = await mta.settled(60);
  const accepted = events.filter(({ type }) => type === 'accepted');
  // Events of one commit share a group of the journal, so their commit is seen in the store.
  await mta.end();
  assert.equal(accepted.length, 60);
  assert.ok((await mta.groups()) < 60, 'fewer commits than messages');
});

for (const [what, moment] of [
  ['opens the store', /^a new queue is made/],
  ['recovers', /^the disk of data_dir took/],
] as const)
  test(
    `a start that ${what} on a slow disk ends in order when it is told to`,
    { timeout: 300_000 },
    async (t) => {
      const shim = storeShim(t);
      if (!shim) return;
      const mta = await Mta.prepare(t);
      mta.launch({ env: shim({ SYNC_DELAY_MS: 2_100 }) });
      assert.ok(await mta.heard(({ msg }) => moment.test(msg)), mta.stderr);
      mta.signal('SIGTERM');
      mta.signal('SIGHUP');
      assert.ok(
        await mta.heard(({ msg }) => msg === 'SIGTERM: ends as soon as the store is open'),
        mta.stderr,
      );
      const insisting = setInterval(() => mta.signal('SIGTERM'), SAME_MS);
      t.after(() => clearInterval(insisting));
      assert.ok(await mta.heard(({ msg }) => msg === 'SIGTERM again: none is open to be cut'), mta.stderr);
      clearInterval(insisting);
      assert.deepEqual(await mta.exited(), { code: 0, signal: null }, mta.stderr);
      const said = mta.log.map(({ msg }) => msg);
      assert.equal(said.at(-1), 'ended in order');
      assert.ok(!said.includes(RUNNING), 'it took no mail');
      await mta.start();
      const walked = mta.log.filter(
        ({ msg }) => msg.includes('walked through') || msg.includes('without closing'),
      );
      assert.deepEqual(walked, [], 'the next start has nothing to mend');
      await mta.end();
    },
  );

test(
  'a slow disk is told: by a start that waits for it, while it lasts, and when it is over',
  { timeout: 300_000 },
  async (t) => {
    const shim = storeShim(t);
    if (!shim) return;
    const sink = await receiver(t);
    const alerts = { slow_commit: '500ms', clear_after: '1s' };
    const mta = await Mta.prepare(t, { routes: [routeTo(sink)], alerts });
    mta.launch({ env: shim({ SYNC_DELAY_MS: 2_100 }) });
    assert.ok(await mta.heard(({ msg }) => msg === 'postrider is running'), mta.stderr);
    const said = mta.log.map(({ msg }) => msg);
    const waits = said.findIndex((msg) => /^the start waits for the disk of data_dir.*iostat/.test(msg));
    assert.equal(said[0], 'a new queue is made');
    assert.match(said[1]!, /^the disk of data_dir took \d+s to open the store/);
    assert.ok(waits > 0 && waits < said.indexOf('queue opened'), said.join('\n'));

    const slow = ({ name }: { readonly name: string }): boolean => name === 'slow_disk';
    let sent = 0;
    await eventually(async () => {
      assert.equal((await inject(mta, `r${++sent}@to.test`)).status, 202);
      return (await mta.status()).alerts.some(slow);
    }, 'the alert is there');
    const { alerts: firing, commits } = await mta.status();
    assert.match(firing.find(slow)!.text, /takes [2-9]\.\ds .*none is lost; see what keeps the disk/);
    assert.ok(commits.slow > 0 && commits.mean_ms! >= 2_100, JSON.stringify(commits));
    const shown = spawnSync(process.execPath, [MAIN, 'status', '-c', mta.configFile], { encoding: 'utf8' });
    assert.match(shown.stdout, /^ALERT +slow_disk: the disk is slow: a commit takes /m);
    await mta.settled(sent);
    const before = mta.log.filter(({ alert }) => alert === 'slow_disk');
    assert.deepEqual(
      before.map(({ level }) => level),
      [40],
      'one line',
    );
    await mta.end();

    await mta.start();
    await mta.heard(({ alert }) => alert === 'slow_disk');
    const [over] = mta.log.filter(({ alert }) => alert === 'slow_disk');
    assert.match(over!.msg, /^alert is over: a commit takes [\d.]+ms again$/);
    // The event is stored after the line is written.
    const told = (events: readonly Event[]): (string | undefined)[] =>
      events.filter(({ alert }) => alert?.name === 'slow_disk').map(({ alert }) => alert?.state);
    await mta.until((events) => told(events).includes('resolved'));
    assert.deepEqual(told(await mta.end()), ['firing', 'resolved']);
  },
);
