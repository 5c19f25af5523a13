/** Jobs by an ISP whose domains are known by their hosts only: after a crash nobody knows whose they are. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  type Kv,
  openLmdbKv,
  openMemoryKv,
  type Operation,
  type Selector,
} from '../../../src/queue/index.ts';
import { accept, crash, deferred, events, HOUR, keysOf, lease, openRig, type Rig } from './fixture.ts';
import { run, sound, stateOf, submit } from './jobs.ts';

const OF_ISP = 150;
const OTHERS = 60;
const MOVE: Operation = { op: 'move', node: 'n2' };

/** Mail to three domains of an ISP, and to one that is not its. */
async function rigWith(kv: Kv): Promise<Rig> {
  const rig = await openRig({ kv });
  for (let i = 0; i < 3; i++) rig.dispatcher.isps.set(`big${i}.test`, 'big');
  await accept(rig, {
    to: Array.from({ length: OF_ISP }, (_, i) => `r${i}@big${i % 3}.test`),
    delayMs: HOUR,
  });
  await accept(rig, { to: Array.from({ length: OTHERS }, (_, i) => `r${i}@small.test`) });
  return rig;
}

/** Crashes after each slice that did something, with nobody who knows an ISP, until the job is done; how many deliveries it did. */
async function crashUntilDone(rig: Rig, id: number): Promise<Rig> {
  let [now, crashes] = [rig, 0];
  while (now.queue.operations.get(id)!.state !== 'done') {
    const { done } = now.queue.operations.get(id)!;
    // A count is in memory alone and begins anew.
    while ((await now.queue.operations.step(0)) && now.queue.operations.get(id)!.done === done);
    now = await crash(now);
    sound(now);
    crashes++;
  }
  assert.ok(crashes > 2, `${crashes}`);
  return now;
}

const sizes = ({ kv }: Rig): number[] =>
  (['deliveries', 'schedule', 'job_domains'] as const).map((table) => keysOf(kv, table).length);

const stores: Readonly<Record<string, () => { readonly kv: Kv; readonly end: () => void }>> = {
  memory: () => ({ kv: openMemoryKv(), end: () => undefined }),
  LMDB: () => {
    const dir = mkdtempSync(join(tmpdir(), 'postrider-isp-jobs-'));
    return { kv: openLmdbKv({ dir, durability: 'process' }), end: () => rmSync(dir, { recursive: true }) };
  },
};

for (const [name, open] of Object.entries(stores))
  describe(`a job by ISP, on ${name}`, () => {
    async function withRig(body: (rig: Rig) => Promise<void>): Promise<void> {
      const { kv, end } = open();
      await body(await rigWith(kv));
      await kv.close();
      end();
    }

    /** On all of the ISP, which goes by the deliveries; on what is old of it, which goes by the queues. */
    const selectors: Readonly<Record<string, (rig: Rig) => Selector>> = {
      whole: () => ({ isp: 'big' }),
      single: (rig) => ({ isp: 'big', before: rig.clock.now() + HOUR }),
    };
    for (const [which, selectorOf] of Object.entries(selectors)) {
      test(`${which}: a purge does all that it matched, whenever it is cut off`, () =>
        withRig(async (rig) => {
          const { id } = await submit(rig, { op: 'purge' }, selectorOf(rig));
          const after = await crashUntilDone(rig, id);
          const { matched, done } = after.queue.operations.get(id)!;
          assert.deepEqual([matched, done], [OF_ISP, OF_ISP]);
          assert.equal(after.queue.state.counters.sum().removed, OF_ISP);
          assert.deepEqual(sizes(after), [OTHERS, OTHERS, 0]);
        }));

      test(`${which}: a move does all that it matched, whenever it is cut off`, () =>
        withRig(async (rig) => {
          const { id } = await submit(rig, MOVE, selectorOf(rig));
          const after = await crashUntilDone(rig, id);
          const { matched, done } = after.queue.operations.get(id)!;
          assert.deepEqual([matched, done], [OF_ISP, OF_ISP]);
          assert.equal(events(after).filter(({ type }) => type === 'moved').length, OF_ISP);
          assert.deepEqual(sizes(after), [OF_ISP + OTHERS, OF_ISP + OTHERS, 0]);
          assert.equal((await lease(after, 'small.test')).length, OTHERS, 'the rest stays where it was');
        }));
    }

    test('a retry and a change do all that they matched', () =>
      withRig(async (rig) => {
        let after = rig;
        for (const operation of [{ op: 'retry' }, { op: 'change', band: 'priority' }] as const) {
          const { id } = await submit(after, operation, { isp: 'big' });
          after = await crashUntilDone(after, id);
          assert.equal(after.queue.operations.get(id)!.done, OF_ISP);
          for (let i = 0; i < 3; i++) after.dispatcher.isps.set(`big${i}.test`, 'big');
        }
        assert.equal((await lease(after, 'big0.test')).length, OF_ISP / 3);
      }));
  });

test('what is leased when a job by ISP comes by meets it when it comes back', async () => {
  const rig = await openRig();
  rig.dispatcher.isps.set('one.test', 'big');
  await accept(rig, { to: ['a@one.test', 'b@one.test'] });
  const [first, second] = await lease(rig);
  const { id } = await submit(rig, { op: 'purge' }, { isp: 'big' });
  rig.dispatcher.isps.clear(); // its hosts are not in the cache any more
  while (await rig.queue.operations.step());
  await rig.queue.record(first!, deferred(rig));
  await rig.queue.record(second!, { kind: 'released', wakeAt: 0 });
  while (await rig.queue.operations.step());
  assert.equal(rig.queue.operations.get(id)!.done, 2);
  sound(rig);
});

test('a job whose domains are lost says so and goes by what is known', async () => {
  let rig = await openRig();
  rig.dispatcher.isps.set('one.test', 'big').set('two.test', 'big');
  await accept(rig, { to: ['a@one.test', 'b@two.test', 'c@three.test'] });
  const { id } = await submit(rig, { op: 'purge' }, { isp: 'big' });
  const [key] = [...rig.store.range('job_domains', {})].map((entry) => entry.key);
  await rig.store.commit([{ table: 'job_domains', key: key!, value: Buffer.from('damaged') }]);
  rig = await crash(rig);
  assert.deepEqual(
    rig.reports.map(({ text, details }) => `${text}: ${String(details['what'])}`),
    [`damage in the store: the domains of job ${id}`],
  );
  rig.dispatcher.isps.set('one.test', 'big');
  while (await rig.queue.operations.step());
  assert.equal(rig.queue.operations.get(id)!.done, 1);
  assert.deepEqual(keysOf(rig.store, 'job_domains'), []);
  sound(rig);
});

/** Commits of the store that wrote events. */
const commits = (rig: Rig): number => keysOf(rig.store, 'journal').length;

describe('a job by ISP is about what was accepted before it', () => {
  test('by a commit that was under way when it was asked for', async () => {
    const kv = openMemoryKv();
    let [begun, end] = [(): void => undefined, (): void => undefined];
    const under = new Promise<void>((resolve) => (begun = resolve));
    const disk = new Promise<void>((resolve) => (end = resolve));
    let slow = false;
    const commit: Kv['commit'] = async (ops) => {
      if (slow) {
        begun();
        await disk;
      }
      await kv.commit(ops);
    };
    const rig = await openRig({
      kv: { get: kv.get.bind(kv), range: kv.range.bind(kv), bytes: () => 0, close: () => kv.close(), commit },
    });
    rig.dispatcher.isps.set('new.test', 'big');
    slow = true;
    const accepted = accept(rig, { to: ['a@new.test'] });
    await under;
    slow = false;
    const asked = submit(rig, { op: 'purge' }, { isp: 'big' });
    await Promise.resolve();
    end();
    await accepted;
    const { id } = await asked;
    while (await rig.queue.operations.step());
    assert.equal(rig.queue.operations.get(id)!.done, 1);
    sound(rig);
  });

  for (const [which, crashes] of [
    ['by the commit that stores it', false],
    ['by the commit that stores it, also after a crash', true],
  ] as const)
    test(which, async () => {
      let rig = await openRig();
      rig.dispatcher.isps.set('new.test', 'big');
      const before = commits(rig);
      const [number, { id }] = await Promise.all([
        accept(rig, { to: ['a@new.test', 'b@small.test'] }),
        submit(rig, { op: 'purge' }, { isp: 'big' }),
      ]);
      assert.equal(commits(rig), before + 1, 'one commit');
      if (crashes) rig = await crash(rig);
      while (await rig.queue.operations.step());
      assert.equal(rig.queue.operations.get(id)!.done, 1);
      assert.deepEqual([stateOf(rig, number, 1), stateOf(rig, number, 2)], ['undelivered', 'new']);
      sound(rig);
    });

  test('and moved by the commit that stores it', async () => {
    const rig = await openRig();
    rig.dispatcher.isps.set('one.test', 'big');
    await accept(rig);
    const [leased] = await lease(rig);
    const [, { id }] = await Promise.all([
      rig.queue.record(leased!, deferred(rig, HOUR, 'n2')),
      submit(rig, { op: 'purge' }, { isp: 'big', node: 'n2' }),
    ]);
    while (await rig.queue.operations.step());
    assert.equal(rig.queue.operations.get(id)!.done, 1);
    sound(rig);
  });

  test('not about what the same commit accepts after it', async () => {
    const rig = await openRig();
    rig.dispatcher.isps.set('new.test', 'big');
    const before = commits(rig);
    const asked = submit(rig, { op: 'purge' }, { isp: 'big' });
    await Promise.resolve(); // it is submitted
    const [{ id }, number] = await Promise.all([asked, accept(rig, { to: ['a@new.test'] })]);
    assert.equal(commits(rig), before + 1, 'one commit');
    while (await rig.queue.operations.step());
    assert.equal(rig.queue.operations.get(id)!.done, 0);
    assert.equal(stateOf(rig, number), 'new');
    sound(rig);
  });
});

test('a job that is not by ISP stores no domains', async () => {
  const rig = await openRig();
  await accept(rig);
  await submit(rig, { op: 'purge' }, { domain: 'one.test' });
  assert.deepEqual(keysOf(rig.store, 'job_domains'), []);
  assert.equal((await run(rig, { op: 'hold' }, { isp: 'big' })).state, 'done');
  assert.deepEqual(keysOf(rig.store, 'job_domains'), []);
});
