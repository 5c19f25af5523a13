/** What reports do when they come again, too early, or when the history of their delivery is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditStore } from '../../support/audit.ts';
import type { LateReport } from '../../../src/queue/index.ts';
import { accept, acceptLeased, delivered, events, keysOf, openRig, type Rig } from './fixture.ts';

const EFFECTS = {
  bounce: {
    kind: 'bounce',
    type: 'hard_bounce',
    bounce: { class: 'hard', category: 'bad_mailbox', rule: 'x' },
    reply: { code: 550, text: 'no such user', phase: 'content' },
  },
  complaint: { kind: 'complaint', reason: 'abuse' },
  unsubscribe: { kind: 'unsubscribe' },
} as const satisfies Record<string, LateReport['effect']>;

/** A report comes in and is concluded, as the reader does it. */
async function come(rig: Rig, number: number, kind: keyof typeof EFFECTS): Promise<string> {
  const at = rig.clock.now();
  const raw = Buffer.from('report');
  const mail = { from: '', to: [], peer: '192.0.2.1', helo: 'far.test', at, bytes: raw.length };
  await rig.queue.inbox.store(rig.queue.nextNumber(), mail, raw);
  const [waiting] = rig.queue.inbox.next(0, 1);
  const late = {
    number,
    index: 1,
    effect: EFFECTS[kind],
    report: { kind: 'dsn' },
    at,
    stop: 'platform',
  } as const;
  return rig.queue.inbox.conclude(waiting!, { kind: 'late', late });
}

async function sent(rig: Rig): Promise<number> {
  const delivery = await acceptLeased(rig);
  await rig.queue.record(delivery, delivered(rig));
  return delivery.number;
}

const counts = (rig: Rig): number[] => {
  const { delivered: good, hard_bounced: bad } = rig.queue.state.counters.sum();
  return [good, bad];
};

for (const kind of ['bounce', 'complaint', 'unsubscribe'] as const)
  test(`${kind}: played again, after a restart too, changes nothing`, async () => {
    const rig = await openRig();
    const number = await sent(rig);
    assert.equal(await come(rig, number, kind), 'counted');
    const before = [events(rig), counts(rig), keysOf(rig.kv, 'stop_list')];
    assert.deepEqual(before[1], kind === 'bounce' ? [0, 1] : [1, 0]);
    assert.equal(keysOf(rig.kv, 'stop_list').length, 1);
    for (const again of [rig, await openRig(rig)]) {
      assert.equal(await come(again, number, kind), 'duplicate');
      assert.deepEqual([events(again), counts(again), keysOf(again.kv, 'stop_list')], before);
    }
    assert.deepEqual(auditStore(rig.kv), []);
  });

test('a bounce of mail that is still queued, or that nobody knows, ends nothing', async () => {
  const rig = await openRig();
  const number = await accept(rig);
  assert.equal(await come(rig, number, 'bounce'), 'queued');
  assert.equal(await come(rig, number + 1_000_000, 'bounce'), 'expired');
  assert.deepEqual(counts(rig), [0, 0]);
  assert.equal(keysOf(rig.kv, 'stop_list').length, 0);
});

test('when the history is over a bounce is told as rejected; what obliges is told by the ids', async () => {
  const rig = await openRig();
  const number = await sent(rig);
  await rig.queue.trim({ historyBefore: Infinity, journalBefore: 0 });
  const { last } = rig.queue.state.journal;
  for (const kind of ['bounce', 'complaint', 'unsubscribe'] as const)
    assert.equal(await come(rig, number, kind), 'expired');
  assert.deepEqual(
    events(rig, last).map(({ type, reason, recipient }) => [type, reason, recipient]),
    ['report_rejected', 'complaint', 'unsubscribe'].map((type) => [type, 'history_over', undefined]),
  );
  assert.equal(keysOf(rig.kv, 'stop_list').length, 0);
  assert.deepEqual(keysOf(rig.kv, 'inbound_mail'), []);
});
