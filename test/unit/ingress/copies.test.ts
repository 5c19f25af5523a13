/** Test sends and copies: what is sent like all mail and counts in no statistics. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Batch, BatchHeader, BatchLine, Labels } from '../../../src/mta/ingress/index.ts';
import { auditStore } from '../../support/audit.ts';
import {
  type Desk,
  events,
  injected,
  openDesk,
  openQueue,
  ORIGIN,
  refusedBy,
  stored,
  taken,
} from './fixture.ts';

const HEADER: BatchHeader = {
  from: 'bounce@shop.test',
  content: { from: 'news@shop.test', subject: 'For {{name}}', text: 'Hello {{name}}' },
  labels: {},
  origin: { ...ORIGIN, protocol: 'HTTP' },
};
const SPRING: Labels = { campaignId: 'spring', accountId: 'shop' };

const opened = async (desk: Desk, labels: Labels): Promise<Batch> =>
  taken(desk, await desk.injector.openBatch({ ...HEADER, labels }));

const lines = (...to: string[]): BatchLine[] =>
  to.map((one, i) => ({ line: i + 2, to: one, vars: { name: `n${i}` }, source: Buffer.from(one) }));

/** Accepted deliveries by campaign, as the counts have them. */
const accepted = (desk: Desk): Record<string, number> =>
  Object.fromEntries([...desk.queue.state.counters.totals()].map((one) => [one.campaign, one.accepted]));

const recipients = (desk: Desk, campaign: string): string[] =>
  events(desk)
    .filter((event) => event.type === 'accepted' && event.campaign_id === campaign)
    .map(({ recipient }) => recipient!);

describe('a test send', () => {
  test('is marked in its events and counts for no campaign', async () => {
    const desk = await openDesk();
    await injected(desk, { labels: { ...SPRING, test: true } });
    await injected(desk, { labels: SPRING });
    assert.deepEqual(accepted(desk), { '(test)': 1, spring: 1 });
    const [first, second] = events(desk);
    assert.deepEqual([first!.test, first!.test_of, first!.campaign_id], [true, 'spring', '(test)']);
    assert.deepEqual([second!.test, second!.campaign_id], [undefined, 'spring']);
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('uses up no sending policy and is stopped by none', async () => {
    const policies = [{ name: 'once', max: 1, days: 7, per: 'account' }];
    const desk = await openDesk({ policies });
    for (const test of [true, undefined, true, undefined])
      await injected(desk, { labels: { ...SPRING, test } });
    const refused = events(desk).filter(({ reason }) => reason === 'policy');
    assert.deepEqual(
      refused.map((event) => event.campaign_id),
      ['spring'],
    );
  });

  test('takes no turn in a split: both kinds are exact by themselves, over a restart too', async () => {
    let desk = await openDesk();
    for (const test of [true, undefined, true, undefined]) {
      await injected(desk, { labels: { ...SPRING, test } });
      desk = await openDesk({}, { ...desk, queue: await openQueue(desk) });
    }
    const sendersOf = (campaign: string): (string | undefined)[] =>
      events(desk)
        .filter((event) => event.campaign_id === campaign)
        .map(({ sender }) => sender)
        .toSorted();
    assert.deepEqual(
      [sendersOf('spring'), sendersOf('(test)')],
      [
        ['news', 'promo'],
        ['news', 'promo'],
      ],
    );
  });
});

describe('copies', () => {
  const copies = [{ to: 'seed@watch.test', first: 2 }, { to: 'bcc@watch.test' }];

  test('of the first recipients and of all have the same content and sender, and count for no campaign', async () => {
    const desk = await openDesk();
    const batch = await opened(desk, { ...SPRING, copies });
    await batch.add(lines('a@one.test', 'b@one.test'));
    await batch.add([{ line: 4, to: 'c@two.test', vars: { name: 'n2' } }]);
    await batch.close();
    assert.deepEqual(accepted(desk), { spring: 3, '(test)': 5 });
    assert.deepEqual(recipients(desk, '(test)').toSorted(), [
      ...Array.from({ length: 3 }, () => 'bcc@watch.test'),
      ...Array.from({ length: 2 }, () => 'seed@watch.test'),
    ]);
    const all = events(desk).filter(({ copy_of: original }) => original !== undefined);
    for (const { message_id: id, delivery_id: delivery, copy_of: original, test_of: of } of all) {
      const found = [delivery!, original!].map((one) => stored(desk, one.slice(0, -2), Number(one.at(-1))));
      const [copy, record] = found.map((one) => one.record);
      // A seed address that refuses mail is not put on the stop list for it.
      assert.deepEqual(
        found.map(({ message }) => message.toOurselves),
        [true, undefined],
      );
      assert.notEqual(id, batch.messageId);
      assert.equal(of, 'spring');
      assert.deepEqual(copy!.vars, record!.vars);
      assert.deepEqual([copy!.sender, copy!.override], [record!.sender, record!.override]);
    }
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('are not made again when a batch is sent again', async () => {
    const desk = await openDesk();
    const labels = { ...SPRING, copies, idempotencyKey: 'k' };
    const first = await opened(desk, labels);
    await first.add(lines('a@one.test', 'b@one.test'));
    await first.close();
    const again = await opened(desk, labels);
    await again.add(lines('a@one.test', 'b@one.test', 'c@two.test'));
    await again.close();
    assert.deepEqual(accepted(desk), { spring: 3, '(test)': 5 });
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('of the first recipients are of those that were accepted, before and after a restart of the batch', async () => {
    const desk = await openDesk();
    const seed = [{ to: 'seed@watch.test', first: 3 }];
    const labels = { ...SPRING, copies: seed, idempotencyKey: 'k' };
    const first = await opened(desk, labels);
    const rejected = await first.add(lines('nobody', 'a@one.test', 'no address', 'b@one.test'));
    assert.deepEqual(
      rejected.map(({ line }) => line),
      [2, 4],
    );
    await first.close();
    assert.deepEqual(accepted(desk), { spring: 2, '(test)': 2 });
    const again = await opened(desk, labels);
    await again.add(lines('nobody', 'a@one.test', 'no address', 'b@one.test', 'c@one.test', 'd@one.test'));
    await again.close();
    assert.deepEqual(accepted(desk), { spring: 4, '(test)': 3 });
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('of a single message go out with it', async () => {
    const desk = await openDesk();
    await injected(desk, { labels: { ...SPRING, copies } });
    assert.deepEqual(accepted(desk), { spring: 1, '(test)': 2 });
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('of a single message share its only commit: none can fail behind it', async () => {
    const desk = await openDesk();
    desk.kv.fails = (commits) => commits > 1;
    await injected(desk, { labels: { ...SPRING, copies }, to: ['a@one.test', 'b@one.test'] });
    await desk.queue.close();
    assert.deepEqual([accepted(desk), desk.errors], [{ spring: 2, '(test)': 4 }, []]);
    assert.deepEqual([...desk.kv.range('meta', { start: Buffer.from('open'), end: Buffer.from('oq') })], []);
  });

  test('to what is no address are refused before anything is stored', async () => {
    const desk = await openDesk();
    const labels = { ...SPRING, copies: [{ to: 'nobody' }] };
    const refusal = refusedBy(desk, await desk.injector.openBatch({ ...HEADER, labels }));
    assert.equal(refusal.field, 'copies[0].to');
    assert.deepEqual(accepted(desk), {});
  });
});
