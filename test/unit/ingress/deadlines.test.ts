/** A deadline and the band geo belong together, whichever way the mail comes in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchHeader, Labels } from '../../../src/mta/ingress/index.ts';
import { auditStore } from '../../support/audit.ts';
import {
  type Desk,
  injected,
  mail,
  openDesk,
  ORIGIN,
  refusal,
  refusedBy,
  request,
  stored,
  taken,
} from './fixture.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const parts = { from: 'news@shop.test', subject: 'Hello', text: 'Hello' };
const headerOf = (labels: Labels): BatchHeader => ({
  from: 'bounce@shop.test',
  content: parts,
  labels: { sender: 'promo', ...labels },
  origin: { ...ORIGIN, protocol: 'HTTP' },
});

/** The minute by which the delivery takes its place among mail of the band geo. */
function minuteOf(desk: Desk, messageId: string, index = 1): number {
  const { record, message } = stored(desk, messageId, index);
  return desk.queue.state.schedule.find({ record, message })!.rank;
}

const STRAY = /a deadline belongs to the band geo, and the band is (standard|priority): /;

for (const band of [undefined, 'standard', 'priority'] as const) {
  test(`a deadline is refused where the band is ${band ?? 'not given'}`, async () => {
    const desk = await openDesk();
    const labels = { band, deadline: desk.clock.now() + HOUR };
    const { content: _, ...facts } = request({ labels });
    for (const refused of [
      await refusal(desk, { labels }),
      refusedBy(desk, await desk.injector.compose({ ...facts, parts })),
      refusedBy(desk, await desk.injector.openBatch(headerOf(labels))),
    ]) {
      assert.deepEqual([refused.kind, refused.field], ['invalid', 'deadline']);
      assert.match(refused.text, STRAY);
    }
  });

  test(`a line's deadline is refused where the band is ${band ?? 'not given'}, the other lines go on`, async () => {
    const desk = await openDesk();
    const batch = taken(desk, await desk.injector.openBatch(headerOf({ band })));
    const rejected = await batch.add([
      { line: 2, to: 'a@one.test', deadline: desk.clock.now() + HOUR },
      { line: 3, to: 'b@one.test' },
    ]);
    await batch.close();
    assert.deepEqual(
      rejected.map(({ line, field }) => [line, field]),
      [[2, 'deadline']],
    );
    assert.match(rejected[0]!.message, STRAY);
    assert.equal(stored(desk, batch.messageId, 2).record.recipient, 'b@one.test');
  });
}

test('over SMTP the reply names the header field', async () => {
  const content = mail(['X-Postrider-Deadline: 2h', 'X-Postrider-Band: priority']);
  const { code, field, text } = await refusal(await openDesk(), { content });
  assert.deepEqual([code, field], [550, 'X-Postrider-Deadline']);
  assert.match(text, /^X-Postrider-Deadline: a deadline belongs to the band geo, and the band is priority/);
});

test('band and deadline may come from different places: the header of the message and the request', async () => {
  const desk = await openDesk();
  const now = desk.clock.now();
  for (const wish of [
    { content: mail(['X-Postrider-Band: geo']), labels: { deadline: now + HOUR } },
    { content: mail(['X-Postrider-Deadline: 1h']), labels: { band: 'geo' } },
    { content: mail(['X-Postrider-Deadline: 1h', 'X-Postrider-Band: geo']), labels: {} },
  ] as const) {
    const { messageId } = await injected(desk, wish);
    assert.equal(minuteOf(desk, messageId), Math.floor((now + HOUR) / MINUTE));
  }
  const labels = { band: 'standard' } as const;
  const { field } = await refusal(await openDesk(), {
    content: mail(['X-Postrider-Deadline: 1h', 'X-Postrider-Band: geo']),
    labels,
  });
  assert.equal(field, 'X-Postrider-Deadline', 'the band of the request wins');
});

test('in the band geo the line’s deadline goes before the batch’s, and without any the lifetime holds', async () => {
  const desk = await openDesk();
  const now = desk.clock.now();
  const lifetime = 2 * HOUR;
  for (const [deadline, rest] of [
    [now + 1.5 * HOUR, now + 1.5 * HOUR],
    [undefined, now + lifetime],
  ] as const) {
    const batch = taken(desk, await desk.injector.openBatch(headerOf({ band: 'geo', deadline })));
    await batch.add([
      { line: 2, to: 'late@one.test' },
      { line: 3, to: 'soon@one.test', deadline: now + 10 * MINUTE },
    ]);
    await batch.close();
    assert.deepEqual(
      [1, 2].map((index) => minuteOf(desk, batch.messageId, index)),
      [rest, now + 10 * MINUTE].map((at) => Math.floor(at / MINUTE)),
    );
  }
  assert.deepEqual(auditStore(desk.kv), []);
});
