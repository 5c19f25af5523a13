/** What reports do when they come again, too early, or when the history of their delivery is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryIdOf } from '../../../src/core/index.ts';
import { deliveryKey } from '../../../src/queue/keys.ts';
import { type LateReport, type LateResult, openMemoryKv } from '../../../src/queue/index.ts';
import { EarlyReports } from '../../../src/queue/early-reports.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  acceptLeased,
  crash,
  delivered,
  events,
  FaultyKv,
  HOUR,
  keysOf,
  lease,
  openRig,
  type Rig,
} from './fixture.ts';

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

/** A report comes in; what is returned concludes it, as the reader does it. */
async function stored(
  rig: Rig,
  number: number,
  kind: keyof typeof EFFECTS,
): Promise<() => Promise<LateResult | 'done'>> {
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
  return () => rig.queue.inbox.conclude(waiting!, { kind: 'late', late });
}

const come = async (rig: Rig, number: number, kind: keyof typeof EFFECTS): Promise<string> =>
  (await stored(rig, number, kind))();

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

test('an early report that is damaged goes with the end of its delivery', async () => {
  const rig = await openRig();
  const delivery = await acceptLeased(rig);
  await come(rig, delivery.number, 'bounce');
  const [entry] = [...rig.kv.range('early_reports', {})];
  await rig.kv.commit([{ table: 'early_reports', key: entry!.key, value: Buffer.from('rubbish') }]);
  await rig.queue.record(delivery, delivered(rig));
  assert.deepEqual(counts(rig), [1, 0]);
  assert.deepEqual(auditStore(rig.kv), []);
});

test('reports of a damaged delivery, queued or ended, are told once by its ids', async () => {
  const rig = await openRig();
  const ended = await sent(rig);
  const queued = await accept(rig);
  for (const [table, number] of [
    ['history', ended],
    ['deliveries', queued],
  ] as const)
    await rig.kv.commit([{ table, key: deliveryKey(number, 1), value: Buffer.from('rubbish') }]);
  for (const number of [ended, queued])
    for (const kind of ['bounce', 'complaint'] as const) {
      const { last } = rig.queue.state.journal;
      assert.equal(await come(rig, number, kind), 'expired');
      assert.deepEqual(
        events(rig, last).map(({ type, reason, delivery_id: id }) => [type, reason, id]),
        [[kind === 'bounce' ? 'report_rejected' : kind, 'history_over', deliveryIdOf(number, 1)]],
      );
    }
  assert.deepEqual([keysOf(rig.kv, 'inbox'), keysOf(rig.kv, 'inbound_mail')], [[], []]);
});

test('a bounce of mail that nobody knows ends nothing', async () => {
  const rig = await openRig();
  const number = await accept(rig);
  assert.equal(await come(rig, number + 1_000_000, 'bounce'), 'expired');
  assert.deepEqual(counts(rig), [0, 0]);
  assert.equal(keysOf(rig.kv, 'stop_list').length, 0);
});

for (const restart of [false, true])
  test(`reports before the end of their delivery take effect once${restart ? ', over a restart' : ''}`, async () => {
    const before = await openRig();
    const delivery = await acceptLeased(before);
    const { number } = delivery;
    const kinds = ['complaint', 'bounce', 'complaint', 'bounce'] as const;
    const results = [];
    for (const kind of kinds) results.push(await come(before, number, kind));
    assert.deepEqual(results, ['counted', 'early', 'duplicate', 'duplicate']);
    assert.deepEqual(counts(before), [0, 0], 'nothing has ended');
    assert.deepEqual(auditStore(before.kv), []);
    const rig = restart ? await crash(before) : before;
    const leased = restart ? (await lease(rig))[0]! : delivery;
    await rig.queue.record(leased, delivered(rig));
    assert.deepEqual(counts(rig), [0, 1]);
    const told = events(rig).filter(({ type }) => type !== 'accepted');
    assert.deepEqual(
      told.map(({ type }) => type),
      ['complaint', 'delivered', 'hard_bounce'],
    );
    assert.equal(told[2]!.corrects, told[1]!.seq);
    assert.equal(told[2]!.bounce?.class, 'hard');
    for (const kind of ['complaint', 'bounce'] as const)
      assert.equal(await come(rig, number, kind), 'duplicate');
    assert.equal(keysOf(rig.kv, 'stop_list').length, 1);
    assert.deepEqual(auditStore(rig.kv), []);
    assert.deepEqual(keysOf(rig.kv, 'early_reports'), []);
    assert.equal(rig.queue.state.early.size, 0);
  });

test('a bounce and the outcome that it is about share a commit, in either order', async () => {
  for (const first of ['bounce', 'outcome'] as const) {
    const rig = await openRig();
    const delivery = await acceptLeased(rig);
    const outcome = (): Promise<unknown> => rig.queue.record(delivery, delivered(rig));
    const bounce = await stored(rig, delivery.number, 'bounce');
    await Promise.all(first === 'bounce' ? [bounce(), outcome()] : [outcome(), bounce()]);
    assert.deepEqual(counts(rig), [0, 1], `the ${first} is built first`);
    assert.deepEqual(keysOf(rig.kv, 'early_reports'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  }
});

test('an early bounce of mail that fails or outlives its time corrects nothing, is told and stops the address', async () => {
  const rig = await openRig();
  const failing = await acceptLeased(rig);
  const late = await accept(rig, { lifetimeMs: HOUR });
  for (const number of [failing.number, late]) assert.equal(await come(rig, number, 'bounce'), 'early');
  await rig.queue.record(failing, {
    kind: 'failed',
    type: 'undelivered',
    reason: 'refused',
    facts: { time: rig.clock.now() },
    attempted: true,
  });
  rig.clock.advance(2 * HOUR);
  await rig.queue.sweep();
  const { hard_bounced: hard, undelivered } = rig.queue.state.counters.sum();
  assert.deepEqual([hard, undelivered], [0, 2]);
  const told = events(rig).filter(({ type }) => type === 'report_rejected');
  assert.deepEqual(
    told.map(({ delivery_id: id, reason, report }) => [id, reason, report?.kind]),
    [failing.number, late].map((number) => [deliveryIdOf(number, 1), 'ended_otherwise', 'dsn']),
  );
  assert.ok(rig.queue.stopList.find('a@one.test', undefined), 'the address is dead all the same');
  assert.deepEqual(keysOf(rig.kv, 'early_reports'), []);
  assert.deepEqual(auditStore(rig.kv), []);
});

test('a commit that fails leaves no early report behind', async () => {
  const kv = new FaultyKv();
  const rig = await openRig({ kv });
  const { number } = await acceptLeased(rig);
  const bounce = await stored(rig, number, 'bounce');
  kv.failures = 1;
  await assert.rejects(bounce());
  assert.equal(rig.queue.state.early.size, 0);
  assert.equal(await bounce(), 'early');
});

test('when too many wait, a bounce is told as rejected', async () => {
  const kv = openMemoryKv();
  const rig = await openRig({ kv });
  Object.assign(rig.queue.state, { early: new EarlyReports(kv, 1) });
  const [first, second] = [await accept(rig), await accept(rig)];
  const { last } = rig.queue.state.journal;
  assert.equal(await come(rig, first, 'bounce'), 'early');
  assert.equal(await come(rig, second, 'bounce'), 'too_many_early');
  assert.deepEqual(
    events(rig, last).map(({ type, reason }) => [type, reason]),
    [['report_rejected', 'too_many_early']],
  );
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

test('a report that comes with the purge of its delivery finds it ended, and is told behind its end', async () => {
  const rig = await openRig();
  const number = await accept(rig, { to: ['a@one.test', 'b@one.test'] });
  const bounce = await stored(rig, number, 'bounce');
  await rig.queue.operations.submit({ operation: { op: 'purge' }, selector: {}, text: 'purge' });
  const [, result] = await Promise.all([rig.queue.operations.step(), bounce()]);
  assert.equal(result, 'duplicate');
  while (await rig.queue.operations.step());
  assert.deepEqual(auditStore(rig.kv), []);

  const another = await accept(rig, { to: ['a@one.test', 'b@one.test'] });
  const complaint = await stored(rig, another, 'complaint');
  await rig.queue.operations.submit({ operation: { op: 'purge' }, selector: {}, text: 'purge' });
  const last = rig.queue.state.journal.last;
  await Promise.all([rig.queue.operations.step(), complaint()]);
  assert.deepEqual(
    events(rig, last).map(({ type }) => type),
    ['undelivered', 'undelivered', 'complaint'],
  );
  while (await rig.queue.operations.step());

  const third = await accept(rig, { to: ['a@one.test', 'b@one.test'] });
  const before = await stored(rig, third, 'complaint');
  await rig.queue.operations.submit({ operation: { op: 'purge' }, selector: {}, text: 'purge' });
  const seen = rig.queue.state.journal.last;
  await Promise.all([before(), rig.queue.operations.step()]);
  assert.deepEqual(
    events(rig, seen).map(({ type, recipient }) => `${type} ${recipient}`),
    ['complaint a@one.test', 'undelivered a@one.test', 'undelivered b@one.test'],
  );
  while (await rig.queue.operations.step());
  assert.deepEqual(auditStore(rig.kv), []);
});
