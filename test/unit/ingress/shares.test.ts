/** The shares of a virtual sender, counted on what was stored: over restarts, crashes and reloads, one by one and in batches. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SplitBook } from '../../../src/routing/index.ts';
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

function assertExact(desk: Desk, percents: readonly number[]): void {
  const all = events(desk);
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

test('the book goes on over reloads and gives its marks once', () => {
  const book = new SplitBook((key) => (key === 'known' ? [-30, 30] : undefined));
  assert.equal(book.next('known', [70, 30]), 1);
  assert.equal(book.next('new', [70, 30]), 0);
  assert.deepEqual(
    book.takeMarks()?.map(({ key }) => key),
    ['known', 'new'],
  );
  assert.equal(book.takeMarks(), undefined);
  assert.equal(book.next('new', [70, 30]), 1);
});
