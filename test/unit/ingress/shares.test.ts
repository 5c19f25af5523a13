/** The shares of a virtual sender, counted on what was stored: over restarts, crashes and reloads, one by one and in batches. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openMemoryKv } from '../../../src/queue/index.ts';
import { newTransaction } from '../../../src/queue/committer.ts';
import { WorkTurns } from '../../../src/queue/turns.ts';
import type { Settings } from '../egress/configured.ts';
import {
  type Desk,
  events,
  injected,
  mail,
  openDesk,
  openQueue,
  ORIGIN,
  request,
  stored,
  taken,
} from './fixture.ts';

const virtual = (...percents: readonly number[]): Settings => ({
  nodes: [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test' }],
  senders: percents.map((_, i) => ({ name: `s${i}`, nodes: [{ node: 'n1' }] })),
  virtual_senders: [
    {
      name: 'main',
      rules: [{ when: 'default', senders: percents.map((percent, i) => ({ sender: `s${i}`, percent })) }],
    },
  ],
});

/** Closes nothing: what a kill leaves. */
const restarted = async (desk: Desk, settings: Settings): Promise<Desk> =>
  openDesk(settings, { ...desk, queue: await openQueue(desk) });

/** Of the mail that was taken and not refused in the same moment. */
function assertExact(desk: Desk, percents: readonly number[], refused: readonly string[] = []): void {
  const all = events(desk).filter(
    ({ type, recipient }) => type === 'accepted' && !refused.includes(recipient!),
  );
  for (const [i, percent] of percents.entries()) {
    const count = all.filter(({ sender }) => sender === `s${i}`).length;
    const off = Math.abs(count - (all.length * percent) / 100);
    assert.ok(off < 1, `${count} of ${all.length} are not ${percent} percent`);
  }
}

describe('shares are exact within one message', () => {
  for (const percents of [
    [70, 30],
    [50, 30, 20],
  ]) {
    const name = percents.join('/');
    for (const total of [1, 10, 100])
      test(`${name} over ${total} messages, each after a restart`, async () => {
        let desk = await openDesk(virtual(...percents));
        for (let i = 0; i < total; i++) {
          await desk.injector.inject(request());
          assertExact(desk, percents);
          desk = await restarted(desk, virtual(...percents));
        }
        assert.equal(events(desk).length, total);
      });

    test(`${name} over 10,000 messages of a batch, with a restart after every 777`, async () => {
      let desk = await openDesk(virtual(...percents));
      for (let done = 0; done < 10_000;) {
        const header = { from: '', content: mail(), labels: { virtualSender: 'main' }, origin: ORIGIN };
        const batch = taken(desk, await desk.injector.openBatch(header));
        const count = Math.min(777, 10_000 - done);
        await batch.add(Array.from({ length: count }, (_, i) => ({ line: i + 2, to: `u${i}@one.test` })));
        done += count;
        desk = await restarted(desk, virtual(...percents));
      }
      assert.equal(events(desk).length, 10_000);
      assertExact(desk, percents);
    });
  }

  test('a rule whose shares change begins anew', async () => {
    let desk = await openDesk(virtual(70, 30));
    await injected(desk);
    desk = await restarted(desk, virtual(30, 70));
    const { messageId } = await injected(desk);
    assert.equal(stored(desk, messageId).record.sender, 's1');
  });
});

describe('what is refused takes no turn', () => {
  const labels = { virtualSender: 'main', accountId: 'shop' };
  const header = { from: '', content: mail(), labels, origin: ORIGIN };
  const policies = [{ name: 'once', max: 1, days: 7 }];
  const alternating = Array.from({ length: 20 }, (_, i) => ({
    line: i + 2,
    to: `${i % 2 === 0 ? 'old' : 'new'}${i}@one.test`,
  }));
  const old = alternating.map(({ to }) => to).filter((to) => to.startsWith('old'));

  test('by a sending policy, one by one and in a batch', async () => {
    const desk = await openDesk({ ...virtual(50, 50), policies });
    await injected(desk, { to: old, labels });
    for (const { to } of alternating.slice(0, 6)) {
      await injected(desk, { to: [to], labels });
      assertExact(desk, [50, 50], old);
    }
    const batch = taken(desk, await desk.injector.openBatch(header));
    await batch.add(alternating.slice(6));
    await batch.close();
    assert.equal(events(desk).filter(({ reason }) => reason === 'policy').length, 10);
    assertExact(desk, [50, 50], old);
  });

  test('by the stop list of an account, which SMTP learns too late to refuse', async () => {
    const desk = await openDesk(virtual(50, 50));
    const entry = { kind: 'address', accountId: 'shop', source: 'operator', at: 0 } as const;
    assert.ok((await desk.queue.stopList.add(old.map((value) => ({ ...entry, value })))).ok);
    for (const { to } of alternating) await injected(desk, { to: [to], labels });
    assertExact(desk, [50, 50], old);
  });

  test('by the store, over SMTP and in a batch', async () => {
    const desk = await openDesk(virtual(50, 50));
    const batch = taken(desk, await desk.injector.openBatch(header));
    for (const line of alternating) {
      desk.kv.failures = 1;
      assert.equal((await desk.injector.inject(request({ labels }))).ok, false);
      await injected(desk, { labels });
      desk.kv.failures = 1;
      await assert.rejects(batch.add([line]));
      await batch.add([line]);
      assertExact(desk, [50, 50]);
    }
    await batch.close();
    assert.equal(events(desk).length, 40);
  });

  test('by an error in another recipient of the same message', async () => {
    const desk = await openDesk({
      ...virtual(50, 50),
      policies: [{ name: 'none', max: 1, days: 1, per: 'campaign' }],
    });
    for (let i = 0; i < 3; i++)
      await desk.injector.inject(request({ labels: { ...labels, copies: [{ to: 'no address' }] } }));
    await injected(desk, { to: ['a@one.test', 'b@one.test'], labels });
    assertExact(desk, [50, 50]);
  });
});

test('a turn of one work that fails alone is not taken', () => {
  const transaction = newTransaction(1);
  const turns = new WorkTurns(openMemoryKv(), transaction);
  const first = (owed: readonly number[] = [0]): { index: number; owed: number[] } => ({
    index: 0,
    owed: [owed[0]! + 1],
  });
  turns.take('key', first);
  assert.equal(transaction.splits.size, 0);
  turns.keep();
  assert.deepEqual(transaction.splits.get('key'), [1]);
});

test('a copy of what is refused goes by the same sender, and takes no turn', async () => {
  const labels = { virtualSender: 'main', accountId: 'shop', copies: [{ to: 'seed@one.test' }] };
  const desk = await openDesk({ ...virtual(50, 50), policies: [{ name: 'once', max: 1, days: 7 }] });
  for (let i = 0; i < 3; i++) await injected(desk, { labels });
  await injected(desk, { to: ['b@one.test'], labels });
  const senders = (recipient: string): unknown[] =>
    events(desk)
      .filter((event) => event.type === 'accepted' && event.recipient === recipient)
      .map(({ sender }) => sender);
  assert.deepEqual(senders('a@one.test'), ['s0', 's1', 's1']);
  assert.deepEqual(senders('b@one.test'), ['s1']);
  assert.deepEqual(senders('seed@one.test'), ['s0', 's1', 's1', 's1']);
});
