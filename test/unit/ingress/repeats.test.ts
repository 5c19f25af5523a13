import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Event, messageNumberOf } from '../../../src/core/index.ts';
import type { Batch, BatchHeader, BatchLine } from '../../../src/mta/ingress/index.ts';
import { closeLeft } from '../../../src/queue/index.ts';
import { numberKey } from '../../../src/queue/keys.ts';
import { auditStore } from '../../support/audit.ts';
import { type Desk, events, injected, mail, openDesk, openQueue, ORIGIN, request, taken } from './fixture.ts';

const DAY = 86_400_000;
const KEYED = { virtualSender: 'main', idempotencyKey: 'k1' } as const;

const HEADER: BatchHeader = {
  from: 'bounce@shop.test',
  content: { from: 'news@shop.test', subject: 'For {{name}}', text: 'Hello {{name}}' },
  labels: KEYED,
  origin: { ...ORIGIN, protocol: 'HTTP' },
  digest: 'header',
};

const opened = async (desk: Desk, wish: Partial<BatchHeader> = {}): Promise<Batch> =>
  taken(desk, await desk.injector.openBatch({ ...HEADER, ...wish }));

const line = (number: number, to = `u${number}@one.test`): BatchLine => ({
  line: number,
  to,
  vars: { name: 'n' },
  source: Buffer.from(`{"to":"${to}"}`),
});
const lines = (from: number, through: number): BatchLine[] =>
  Array.from({ length: through - from + 1 }, (_, i) => line(from + i));

const recipients = (desk: Desk): (Event['recipient'] | undefined)[] =>
  events(desk).map(({ recipient }) => recipient);
const tableSize = ({ kv }: Desk, table: 'answers' | 'lines' | 'contents'): number =>
  [...kv.range(table, {})].length;

describe('a message with an idempotency key', () => {
  test('that is repeated gets the same answer and is accepted once', async () => {
    const desk = await openDesk();
    const first = await injected(desk, { labels: KEYED, to: ['a@one.test', 'bad', 'b@one.test'] });
    const again = await injected(desk, { labels: KEYED, to: ['a@one.test', 'bad', 'b@one.test'] });
    assert.deepEqual(again, first);
    assert.equal(first.rejected.length, 1);
    assert.equal(events(desk).length, 2);
  });

  test('two that come together are one', async () => {
    const desk = await openDesk();
    const [a, b] = await Promise.all([injected(desk, { labels: KEYED }), injected(desk, { labels: KEYED })]);
    assert.deepEqual(a, b);
    assert.equal(events(desk).length, 1);
  });

  test('the key in a header field does the same', async () => {
    const desk = await openDesk();
    const content = mail(['X-Postrider-Idempotency-Key: k1']);
    const first = await injected(desk, { content });
    assert.deepEqual(await injected(desk, { content }), first);
    assert.equal(events(desk).length, 1);
  });

  test('another request under the key is a conflict that names the field', async () => {
    const desk = await openDesk();
    await injected(desk, { labels: KEYED });
    for (const change of [
      { to: ['b@one.test'] },
      { content: mail([], 'Other.\r\n') },
      { from: 'x@shop.test' },
    ]) {
      const result = await desk.injector.inject(request({ labels: KEYED, ...change }));
      assert.ok(!result.ok);
      assert.deepEqual([result.error.kind, result.error.field], ['conflict', 'idempotency_key']);
    }
    assert.equal(events(desk).length, 1);
  });

  test('keys of one caller mean nothing for another', async () => {
    const desk = await openDesk();
    await injected(desk, { labels: KEYED });
    await injected(desk, { labels: KEYED, origin: { ...ORIGIN, caller: 'shop' }, to: ['b@one.test'] });
    assert.deepEqual(recipients(desk), ['a@one.test', 'b@one.test']);
  });

  test('what was refused or could not be stored leaves the key free', async () => {
    const desk = await openDesk();
    assert.ok(!(await desk.injector.inject(request({ labels: KEYED, to: ['bad'] }))).ok);
    desk.kv.failures = 1;
    assert.ok(!(await desk.injector.inject(request({ labels: KEYED }))).ok);
    await injected(desk, { labels: KEYED });
    assert.equal(events(desk).length, 1);
  });

  test('after the window it is a new message, and nothing of the first is kept', async () => {
    const desk = await openDesk();
    const first = await injected(desk, { labels: KEYED });
    desk.clock.advance(3 * DAY);
    const answersBefore = desk.clock.now() - 3 * DAY;
    const second = await injected(desk, { labels: KEYED });
    assert.notEqual(second.messageId, first.messageId);
    assert.deepEqual([tableSize(desk, 'answers'), tableSize(desk, 'lines')], [1, 2]);
    const bounds = { historyBefore: 0, journalBefore: 0 };
    await desk.queue.trim({ ...bounds, answersBefore: answersBefore + 1 });
    assert.deepEqual([tableSize(desk, 'answers'), tableSize(desk, 'lines')], [1, 1]);
    assert.deepEqual(await injected(desk, { labels: KEYED }), second);
    await desk.queue.trim({ ...bounds, answersBefore: desk.clock.now() + 1 });
    assert.deepEqual([tableSize(desk, 'answers'), tableSize(desk, 'lines')], [0, 0]);
  });
});

describe('a batch with an idempotency key', () => {
  test('that is sent again goes on where it was: ids stay, committed lines are not repeated', async () => {
    const desk = await openDesk();
    const batch = await opened(desk);
    await batch.add(lines(2, 5));
    await batch.add(lines(6, 9));
    await batch.close();
    const again = await opened(desk);
    assert.equal(again.messageId, batch.messageId);
    assert.deepEqual(await again.add(lines(2, 7)), []);
    assert.deepEqual(await again.add(lines(8, 12)), []);
    await again.close();
    const expected = lines(2, 12).map(({ line: number, to }) => [`${batch.messageId}.${number - 1}`, to]);
    assert.deepEqual(
      events(desk).map(({ delivery_id: id, recipient }) => [id, recipient]),
      expected,
    );
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('after a restart in the middle as well', async () => {
    const desk = await openDesk();
    const batch = await opened(desk);
    await batch.add(lines(2, 4));
    const queue = await openQueue(desk);
    const again = await opened(await openDesk({}, { ...desk, queue }));
    assert.equal(again.messageId, batch.messageId);
    assert.deepEqual(await again.add(lines(2, 6)), []);
    await again.close();
    assert.deepEqual(
      [...queue.state.journal.events(0)].map(({ recipient }) => recipient),
      lines(2, 6).map(({ to }) => to),
    );
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('a line that was refused may be mended; lines left out are not missed', async () => {
    const desk = await openDesk();
    const batch = await opened(desk);
    assert.deepEqual(
      (await batch.add([line(2), line(3, 'bad'), line(4)])).map((one) => one.line),
      [3],
    );
    await batch.close();
    const again = await opened(desk);
    assert.deepEqual(await again.add([line(3, 'mended@one.test'), line(4), line(5)]), []);
    await again.close();
    const third = await opened(desk);
    assert.deepEqual(await third.add([line(2), line(3, 'mended@one.test'), line(4), line(5)]), []);
    await third.close();
    assert.deepEqual(recipients(desk), ['u2@one.test', 'u4@one.test', 'mended@one.test', 'u5@one.test']);
  });

  test('a changed line is named and changes nothing', async () => {
    const desk = await openDesk();
    const batch = await opened(desk);
    await batch.add(lines(2, 4));
    await batch.close();
    const again = await opened(desk);
    const rejected = await again.add([line(2), line(3, 'other@one.test')]);
    await again.close();
    assert.deepEqual(
      rejected.map(({ line: number, changed }) => [number, changed]),
      [[3, true]],
    );
    assert.equal(events(desk).length, 3);
  });

  test('a changed header is a conflict', async () => {
    const desk = await openDesk();
    await (await opened(desk)).close();
    const result = await desk.injector.openBatch({ ...HEADER, digest: 'other' });
    assert.equal(!result.ok && result.error.kind, 'conflict');
  });

  test('the second connection waits until the first has ended', async () => {
    const desk = await openDesk();
    const batch = await opened(desk);
    await batch.add(lines(2, 3));
    let waiting = true;
    const second = desk.injector.openBatch(HEADER).finally(() => (waiting = false));
    await batch.add(lines(4, 5));
    assert.ok(waiting);
    await batch.close();
    const again = taken(desk, await second);
    assert.deepEqual(await again.add(lines(2, 5)), []);
    await again.close();
    assert.equal(events(desk).length, 4);
  });

  test('the content comes back when all was sent, and goes when the last line is', async () => {
    const desk = await openDesk();
    const batch = await opened(desk);
    await batch.add([]);
    await batch.close();
    assert.equal(tableSize(desk, 'contents'), 0);
    const again = await opened(desk);
    const number = messageNumberOf(again.messageId)!;
    assert.ok(desk.kv.get('contents', numberKey(number)));
    await again.close();
    assert.equal(tableSize(desk, 'contents'), 0);
  });

  test('a line that comes a day later lives as long as the first ones did', async () => {
    const desk = await openDesk();
    const labels = { sender: 'promo', idempotencyKey: 'k1' };
    const batch = await opened(desk, { labels });
    await batch.close();
    desk.clock.advance(DAY);
    const again = await opened(desk, { labels });
    await again.add([line(2)]);
    await again.close();
    const [event] = events(desk);
    assert.equal(Date.parse(event!.time), desk.clock.now());
    await desk.queue.sweep();
    assert.equal(events(desk).length, 1, 'its lifetime has just begun');
  });
});

describe('a damaged answer', () => {
  const to = ['a@one.test', 'bad', 'b@one.test'];
  const spoil = (desk: Desk, table: 'answers' | 'lines', at = 0): Promise<void> => {
    const { key } = [...desk.kv.range(table, {})][at]!;
    return desk.kv.commit([{ table, key, value: Buffer.from('rubbish') }]);
  };

  test('of a message is made anew: the same request is not accepted once more', async () => {
    const desk = await openDesk({}, undefined, 'damaged');
    const first = await injected(desk, { labels: KEYED, to });
    await spoil(desk, 'answers');
    assert.deepEqual(await injected(desk, { labels: KEYED, to }), first);
    assert.equal(events(desk).length, 2);
    assert.match(desk.told.join('\n'), new RegExp(`the answer of message ${first.messageId}`));
    assert.deepEqual(await injected(desk, { labels: KEYED, to }), first);
    assert.equal(desk.told.length, 1, 'it is whole again');
  });

  test('of a message names those of whom nothing is kept', async () => {
    const desk = await openDesk({}, undefined, 'damaged');
    await desk.queue.stopList.add([{ kind: 'address', value: 'b@one.test', source: 'import', at: 1 }]);
    const origin = { ...ORIGIN, protocol: 'HTTP' } as const;
    const first = await injected(desk, { labels: KEYED, to, origin });
    await spoil(desk, 'answers');
    const again = await injected(desk, { labels: KEYED, to, origin });
    assert.deepEqual(again.deliveries, first.deliveries);
    assert.deepEqual(
      again.rejected.map(({ recipient }) => recipient),
      ['bad', 'b@one.test'],
    );
    assert.match(again.rejected[1]!.text, /nothing is kept of a delivery to it/);
  });

  test('to another request is a conflict still, as far as its recipients tell', async () => {
    const desk = await openDesk({}, undefined, 'damaged');
    await injected(desk, { labels: KEYED, to });
    await spoil(desk, 'answers');
    const result = await desk.injector.inject(request({ labels: KEYED, to: ['b@one.test'] }));
    assert.equal(!result.ok && result.error.kind, 'conflict');
    const batch = await desk.injector.openBatch(HEADER);
    assert.equal(!batch.ok && batch.error.kind, 'conflict');
    assert.equal(events(desk).length, 2);
  });

  test('whose mark is damaged too is refused with the way out, for it may have been accepted', async () => {
    const desk = await openDesk({}, undefined, 'damaged');
    await injected(desk, { labels: KEYED });
    await spoil(desk, 'answers');
    await spoil(desk, 'lines');
    const result = await desk.injector.inject(request({ labels: KEYED }));
    assert.ok(!result.ok);
    assert.equal(result.error.field, 'idempotency_key');
    assert.match(result.error.text, /damaged: look for the message by its recipient/);
    assert.equal(events(desk).length, 1);
  });

  test('that is older than the window does not count', async () => {
    const desk = await openDesk({}, undefined, 'damaged');
    const first = await injected(desk, { labels: KEYED });
    await spoil(desk, 'answers');
    desk.clock.advance(3 * DAY);
    assert.notEqual((await injected(desk, { labels: KEYED })).messageId, first.messageId);
  });

  test('that cannot be stored anew is given all the same', async () => {
    const desk = await openDesk({}, undefined, 'damaged');
    const first = await injected(desk, { labels: KEYED });
    await spoil(desk, 'answers');
    desk.kv.failures = 1;
    const again = await desk.injector.inject(request({ labels: KEYED }));
    assert.deepEqual(again.ok && again.value, first);
    assert.equal(desk.told.length, 2);
  });

  test('of a batch is made anew: committed lines are not repeated, the others are taken', async () => {
    const desk = await openDesk({}, undefined, 'damaged');
    const batch = await opened(desk);
    await batch.add(lines(2, 5));
    await batch.close();
    await spoil(desk, 'answers');
    const again = await opened(desk);
    assert.equal(again.messageId, batch.messageId);
    assert.deepEqual(await again.add(lines(2, 7)), []);
    await again.close();
    assert.equal(events(desk).length, 6);
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('and damaged lines of a batch: what was committed is known by its deliveries', async () => {
    const desk = await openDesk({}, undefined, 'damaged');
    const batch = await opened(desk);
    await batch.add([line(2), line(3, 'bad'), ...lines(4, 5)]);
    await batch.add(lines(6, 7));
    await batch.close();
    await spoil(desk, 'lines', 1);
    const again = taken(desk, await desk.injector.openBatch(HEADER), /lines of message \d+ are damaged at 1/);
    const rejected = await again.add([line(2), line(3), line(4, 'other@one.test'), ...lines(5, 8)]);
    assert.deepEqual(
      rejected.map(({ line: number, changed }) => [number, changed]),
      [[4, true]],
    );
    await again.close();
    const after = recipients(desk).slice(5);
    assert.deepEqual(after, ['u3@one.test', 'u8@one.test']);
    assert.match(desk.told.join('\n'), /the lines of message \S+ at 1/);
  });
});

describe('a batch whose closing the store refuses', () => {
  const copies = [{ to: 'seed@watch.test' }];
  const openMarks = ({ kv }: Desk): number =>
    [...kv.range('meta', {})].filter(({ key }) => key.includes('open')).length;

  /** With a line, and its copy: two open messages. */
  async function refused(desk: Desk): Promise<void> {
    const batch = await opened(desk, { labels: { ...KEYED, copies } });
    await batch.add([line(2)]);
    desk.kv.failures = 1;
    await assert.rejects(batch.close(), /disk is full/);
    assert.equal(openMarks(desk), 2);
  }

  test('is closed as soon as it takes anything, and its copies with it', async () => {
    const desk = await openDesk();
    await refused(desk);
    desk.kv.failures = 1;
    await assert.rejects(closeLeft(desk.queue.state), /disk is full/);
    await closeLeft(desk.queue.state);
    const { commits } = desk.kv;
    await closeLeft(desk.queue.state);
    assert.deepEqual([openMarks(desk), desk.kv.commits], [0, commits]);
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('stays open for the request that goes on with it, also when that comes in the same commit', async () => {
    for (const together of [false, true]) {
      const desk = await openDesk();
      await refused(desk);
      const [again] = await Promise.all([
        opened(desk, { labels: { ...KEYED, copies } }),
        together ? closeLeft(desk.queue.state) : undefined,
      ]);
      await closeLeft(desk.queue.state);
      assert.deepEqual(await again.add([line(2), line(3)]), []);
      await again.close();
      assert.equal(openMarks(desk), 0);
      assert.deepEqual(auditStore(desk.kv), []);
    }
  });

  test('is closed after a request that could not go on with it', async () => {
    const desk = await openDesk();
    await refused(desk);
    desk.kv.failures = 1;
    const again = await desk.injector.openBatch({ ...HEADER, labels: { ...KEYED, copies } });
    assert.ok(!again.ok);
    await closeLeft(desk.queue.state);
    assert.equal(openMarks(desk), 0);
    assert.deepEqual(auditStore(desk.kv), []);
  });
});
