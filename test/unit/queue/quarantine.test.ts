import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliveryIdOf } from '../../../src/core/index.ts';
import {
  audit,
  findDelivery,
  type Place,
  releaseQuarantined,
  removeQuarantined,
} from '../../../src/queue/index.ts';
import { deliveryKey, numberKey } from '../../../src/queue/keys.ts';
import type { Op, Table } from '../../../src/queue/kv.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  acceptLeased,
  crash,
  deferred,
  delivered,
  events,
  eventTypes,
  HOUR,
  keysOf,
  lease,
  newMessage,
  openRig,
  type Rig,
} from './fixture.ts';
import { held, run } from './jobs.ts';

const TWO = ['a@one.test', 'b@one.test'];

/** One bit of a stored value is another one now. */
function flip(rig: Rig, table: Table, key: Buffer): Op {
  const value = Buffer.from(rig.kv.get(table, key)!);
  const at = value.length >> 1;
  value[at] = value[at]! ^ 0x10;
  return { table, key, value };
}

type Part = 'deliveries' | 'messages' | 'contents';
const damage = (rig: Rig, part: Part, number: number): Promise<void> =>
  rig.kv.commit([flip(rig, part, part === 'deliveries' ? deliveryKey(number, 1) : numberKey(number))]);

const sum = (rig: Rig) => {
  const { accepted, delivered: made, undelivered, removed, queued } = rig.queue.state.counters.sum();
  return { accepted, delivered: made, undelivered, removed, queued };
};

describe('a flipped bit', () => {
  for (const [part, reason, lost] of [
    ['deliveries', 'the delivery is damaged', 1],
    ['messages', 'the message record is damaged', 2],
    ['contents', 'the content is damaged', 2],
  ] as const) {
    test(`in ${part} sets aside what it damages, and nothing else; all stay counted`, async () => {
      const rig = await openRig();
      const bad = await accept(rig, { to: TWO, campaignId: 'spring' });
      const good = await accept(rig, { to: TWO, campaignId: 'spring' });
      await damage(rig, part, bad);
      const leased = await lease(rig);
      assert.equal(leased.filter(({ number }) => number === good).length, 2);
      assert.equal(leased.length, 4 - lost);
      for (const one of leased) await rig.queue.record(one, delivered(rig));
      assert.equal(rig.queue.quarantine.count, lost);
      assert.deepEqual(sum(rig), {
        accepted: 4,
        delivered: 4 - lost,
        undelivered: 0,
        removed: 0,
        queued: lost,
      });

      const told = events(rig).filter(({ type }) => type === 'quarantined');
      assert.deepEqual(
        told.map((event) => [event.delivery_id, event.reason, event.campaign_id, event.node]),
        Array.from({ length: lost }, (_, i) => [deliveryIdOf(bad, i + 1), reason, 'spring', 'n1']),
      );
      const { clean, violations } = audit(rig.kv);
      assert.equal(clean, false);
      const ids = violations.filter(({ text }) => text.includes(`in the quarantine: ${reason}`));
      assert.deepEqual(
        ids.map(({ delivery_id: id }) => id),
        told.map((event) => event.delivery_id),
      );
      assert.ok(
        !violations.some(({ text }) => /counted|add up/.test(text)),
        'it is counted where it belongs',
      );

      // A restart finds it where it is, and the operator ends it.
      const again = await crash(rig);
      assert.equal(again.queue.quarantine.count, lost);
      assert.deepEqual(await lease(again), []);
      const places = again.queue.quarantine.list(undefined, 10);
      assert.deepEqual(await removeQuarantined(again.queue.state, places), []);
      assert.deepEqual(sum(again), {
        accepted: 4,
        delivered: 4 - lost,
        undelivered: 0,
        removed: lost,
        queued: 0,
      });
      const last = events(again).at(-1)!;
      assert.deepEqual([last.type, last.reason, last.recipient], ['undelivered', 'removed', TWO[lost - 1]]);
      for (const table of ['deliveries', 'damaged', 'schedule', 'contents'] as const)
        assert.deepEqual(keysOf(again.kv, table), [], table);
      assert.equal(again.queue.quarantine.count, 0);
      assert.deepEqual(auditStore(again.kv), []);
    });
  }

  test('in a delivery that was tried before is removed from the row that it is counted in', async () => {
    const rig = await openRig();
    const one = await acceptLeased(rig);
    await rig.queue.record(one, deferred(rig, 0, 'n2'));
    await damage(rig, 'deliveries', one.number);
    assert.deepEqual(await lease(rig, 'one.test', { node: 'n2' }), []);
    await removeQuarantined(rig.queue.state, rig.queue.quarantine.list(undefined, 10));
    assert.deepEqual([...rig.queue.state.counters.rows()], []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('in the message of leased deliveries does not keep their outcomes from being stored', async () => {
    const rig = await openRig();
    const number = await accept(rig, { to: [...TWO, 'c@one.test'] });
    const leased = await lease(rig, 'one.test', { limit: 2 });
    await damage(rig, 'messages', number);
    // In one commit: the first one makes the record anew, the second one counts on it.
    await Promise.all(leased.map((one) => rig.queue.record(one, delivered(rig))));
    assert.deepEqual(auditStore(rig.kv), []);
    for (const one of await lease(rig)) await rig.queue.record(one, delivered(rig));
    assert.equal(sum(rig).delivered, 3);
    assert.deepEqual(keysOf(rig.kv, 'contents'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });
});

describe('the quarantine', () => {
  test('releases what can be read again, and says of the rest why not', async () => {
    const rig = await openRig();
    const number = await accept(rig);
    const key = numberKey(number);
    const whole = Buffer.from(rig.kv.get('contents', key)!);
    await damage(rig, 'contents', number);
    await lease(rig);
    const place = { number, index: 1 };
    assert.match((await releaseQuarantined(rig.queue.state, place))!.reason, /still damaged/);
    assert.match(
      (await releaseQuarantined(rig.queue.state, { number, index: 2 }))!.reason,
      /not in the quarantine/,
    );
    assert.deepEqual(await lease(rig), []);
    await rig.kv.commit([{ table: 'contents', key, value: whole }]);
    assert.equal(await releaseQuarantined(rig.queue.state, place), undefined);
    assert.deepEqual(auditStore(rig.kv), []);
    const [again] = await lease(rig);
    assert.equal(again?.number, number);
    await rig.queue.record(again, delivered(rig));
    assert.deepEqual(
      events(rig).map(({ type }) => type),
      ['accepted', 'quarantined', 'released', 'delivered'],
    );
    assert.equal(findDelivery(rig.queue.state, number, 1)?.state, 'delivered');
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('counts nothing of a commit that failed, also after another start', async () => {
    const rig = await openRig();
    const number = await accept(rig, { lifetimeMs: HOUR });
    await damage(rig, 'contents', number);
    await lease(rig);
    const commit = rig.kv.commit.bind(rig.kv);
    rig.kv.commit = () => Promise.reject(new Error('no space'));
    await assert.rejects(removeQuarantined(rig.queue.state, [{ number, index: 1 }]), /no space/);
    assert.equal(rig.queue.quarantine.count, 1);
    rig.kv.commit = commit;
    rig.clock.advance(2 * HOUR);
    await rig.queue.sweep();
    assert.equal(rig.queue.quarantine.count, 0);
    assert.equal((await crash(rig)).queue.quarantine.count, 0);
    assert.equal(sum(rig).undelivered, 1);
  });
});

describe('in one commit', () => {
  /** One of two recipients is set aside, can be read again, and its lifetime is over. */
  async function expired(): Promise<{ readonly rig: Rig; readonly number: number }> {
    const rig = await openRig();
    const input = newMessage(rig, { to: TWO, lifetimeMs: 10 * HOUR });
    const [first, second] = input.deliveries;
    const short = { ...first!, record: { ...first!.record, expiresAt: rig.clock.now() + HOUR } };
    await rig.queue.accept({ ...input, deliveries: [short, second!] });
    const { number } = input;
    const content = {
      table: 'contents',
      key: numberKey(number),
      value: rig.kv.get('contents', numberKey(number)),
    } as const;
    await damage(rig, 'contents', number);
    assert.deepEqual(await lease(rig, 'one.test', { limit: 1 }), []);
    await rig.kv.commit([content]);
    assert.equal(rig.queue.quarantine.count, 1);
    rig.clock.advance(HOUR);
    return { rig, number };
  }

  const whole = (rig: Rig, number: number): void => {
    assert.deepEqual(auditStore(rig.kv), []);
    assert.equal(rig.queue.quarantine.count, 0);
    assert.deepEqual(
      eventTypes(rig).filter((type) => type === 'undelivered'),
      ['undelivered'],
    );
    assert.ok(rig.kv.get('contents', numberKey(number)), 'the other one has its content');
  };
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await Promise.resolve();
  };

  for (const first of ['the sweep', 'the operator'] as const)
    test(`what the sweep and an operator want gone goes once, ${first} first`, async () => {
      const { rig, number } = await expired();
      const place = { number, index: 1 };
      const commits = rig.queue.state.journal.last;
      const works =
        first === 'the sweep' ? [rig.queue.sweep(), removeQuarantined(rig.queue.state, [place])] : [];
      if (works.length === 0) {
        works.push(removeQuarantined(rig.queue.state, [place]));
        await turns(10);
        works.push(rig.queue.sweep());
      }
      await Promise.all<unknown>(works);
      assert.equal(rig.queue.state.journal.last, commits + 1);
      whole(rig, number);
    });

  test('what is over is not released once more by an operator', async () => {
    const { rig, number } = await expired();
    const place = { number, index: 1 };
    const [, refused] = await Promise.all([rig.queue.sweep(), releaseQuarantined(rig.queue.state, place)]);
    assert.match(refused!.reason, /just being ended/);
    whole(rig, number);
  });

  test('two releases are one', async () => {
    const { rig, number } = await expired();
    const place = { number, index: 1 };
    const release = (): ReturnType<typeof releaseQuarantined> => releaseQuarantined(rig.queue.state, place);
    const [refused, again] = await Promise.all([release(), release()]);
    assert.equal(refused, undefined);
    assert.match(again!.reason, /just being/);
    assert.equal(rig.queue.quarantine.count, 0);
    assert.deepEqual(auditStore(rig.kv), []);
  });
});

describe('a hold of one recipient', () => {
  /** Mail to two recipients, one of whom is held; what is set aside of it can be read again. */
  async function aside(hold: 'before' | 'after'): Promise<{ readonly rig: Rig; readonly place: Place }> {
    const rig = await openRig();
    const number = await accept(rig, { to: ['a@one.test'], lifetimeMs: HOUR });
    const content = rig.kv.get('contents', numberKey(number));
    await damage(rig, 'contents', number);
    if (hold === 'after') assert.deepEqual(await lease(rig), []);
    await run(rig, { op: 'hold' }, { recipient: 'a@one.test' });
    if (hold === 'before') {
      // Nobody leases what is held: it is let go for a moment.
      await run(rig, { op: 'release' }, { recipient: 'a@one.test' });
      assert.deepEqual(await lease(rig), []);
      await run(rig, { op: 'hold' }, { recipient: 'a@one.test' });
    }
    await rig.kv.commit([{ table: 'contents', key: numberKey(number), value: content }]);
    assert.equal(rig.queue.quarantine.count, 1);
    return { rig, place: { number, index: 1 } };
  }

  for (const when of ['before', 'after'] as const)
    test(`also keeps what leaves the quarantine, held ${when} it went there`, async () => {
      const { rig, place } = await aside(when);
      assert.equal(await releaseQuarantined(rig.queue.state, place), undefined);
      assert.deepEqual(await lease(rig), []);
      assert.equal(held(rig), 1);
      assert.deepEqual(auditStore(rig.kv), []);
      await run(rig, { op: 'release' }, {});
      assert.equal((await lease(rig)).length, 1);
    });

  test('is counted as it is, also when one ends that was set aside beside it', async () => {
    const rig = await openRig();
    await run(rig, { op: 'hold' }, { domain: 'one.test' });
    await run(rig, { op: 'release' }, { recipient: 'a@one.test' });
    const aside = await accept(rig, { to: ['a@one.test'], lifetimeMs: HOUR });
    await accept(rig, { to: ['a@one.test'] });
    await damage(rig, 'contents', aside);
    assert.deepEqual(await lease(rig, 'one.test', { limit: 1 }), []);
    rig.clock.advance(HOUR);
    await rig.queue.sweep();
    assert.deepEqual([held(rig), sum(rig).undelivered, sum(rig).queued], [0, 1, 1]);
  });
});
