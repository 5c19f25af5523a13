import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { StopEntry, StopKind } from '../../../src/queue/index.ts';
import { stopTarget } from '../../../src/queue/index.ts';
import { MAX_PATTERNS } from '../../../src/queue/stop-list.ts';
import {
  acceptLeased,
  crash,
  DAY,
  eventTypes,
  failed,
  FaultyKv,
  HOUR,
  keysOf,
  openRig,
  type Rig,
} from './fixture.ts';

type Wish = Partial<Pick<StopEntry, 'accountId' | 'source' | 'reason' | 'expiresAt'>>;

function entry(rig: Rig, kind: StopKind, text: string, wish: Wish = {}): StopEntry {
  const target = stopTarget(kind, text);
  assert.ok(target.ok, text);
  return { ...target.value, source: 'operator', at: rig.clock.now(), ...wish };
}

async function stop(rig: Rig, kind: StopKind, text: string, wish: Wish = {}): Promise<void> {
  assert.deepEqual(await rig.queue.stopList.add([entry(rig, kind, text, wish)]), { ok: true, value: 1 });
}

const found = (rig: Rig, recipient: string, account?: string): string | undefined =>
  rig.queue.stopList.find(recipient, account)?.value;

describe('what an entry covers', () => {
  test('an address without regard to case, a domain with all its addresses but not its sub-domains', async () => {
    const rig = await openRig();
    await stop(rig, 'address', 'Anna@One.test');
    await stop(rig, 'domain', 'Bücher.test');
    assert.equal(found(rig, 'aNNa@one.test'), 'anna@one.test');
    assert.equal(found(rig, 'anna@two.test'), undefined);
    assert.equal(found(rig, 'any@xn--bcher-kva.test'), 'xn--bcher-kva.test');
    assert.equal(found(rig, 'any@mail.xn--bcher-kva.test'), undefined);
  });

  test('a pattern the address, or without an @ the domain', async () => {
    const rig = await openRig();
    await stop(rig, 'pattern', 'NoReply*@shop.test');
    await stop(rig, 'pattern', '*.spamtrap.test');
    await stop(rig, 'pattern', 'user??@two.test');
    assert.equal(found(rig, 'noreply-7@shop.test'), 'noreply*@shop.test');
    assert.equal(found(rig, 'a@b.spamtrap.test'), '*.spamtrap.test');
    assert.equal(found(rig, 'a@spamtrap.test'), undefined);
    assert.equal(found(rig, 'user12@two.test'), 'user??@two.test');
    assert.equal(found(rig, 'user1@two.test'), undefined);
    await stop(rig, 'pattern', 'box*box?@*.three.test');
    assert.equal(found(rig, 'box-1-box2@a.three.test'), 'box*box?@*.three.test');
    for (const other of ['box2@a.three.test', 'box-1-box2@three.test', 'box-1-box@a.three.test', '3.test'])
      assert.equal(found(rig, other), undefined);
  });

  test('an account only its own mail', async () => {
    const rig = await openRig();
    await stop(rig, 'address', 'a@one.test', { accountId: 'acme' });
    await stop(rig, 'pattern', '*@two*.test', { accountId: 'acme' });
    assert.equal(found(rig, 'a@one.test'), undefined);
    assert.equal(found(rig, 'a@one.test', 'other'), undefined);
    assert.equal(found(rig, 'a@one.test', 'acme'), 'a@one.test');
    assert.equal(found(rig, 'x@two2.test', 'other'), undefined);
    assert.equal(found(rig, 'x@two2.test', 'acme'), '*@two*.test');
  });

  test('a pattern that would take hours for a backtracking engine takes none', async () => {
    const rig = await openRig();
    await stop(rig, 'pattern', `${'a*'.repeat(60)}b*@one.test`);
    const before = process.hrtime.bigint();
    assert.equal(found(rig, `${'a'.repeat(250)}@one.test`), undefined);
    assert.ok(process.hrtime.bigint() - before < 1_000_000_000n);
  });
});

test('targets that are none, or stop nearly everything, are refused', () => {
  const wrong: readonly (readonly [StopKind, string, RegExp])[] = [
    ['address', 'nobody', /is not an address/],
    ['domain', 'a b', /is not a domain/],
    ['pattern', '*@*', /at least 4 characters/],
    ['pattern', '*.a.b', /at least 4 characters/],
    ['pattern', 'anna@one.test', /neither \* nor \?/],
    ['pattern', 'a b*@one.test', /space/],
  ];
  for (const [kind, text, message] of wrong) {
    const target = stopTarget(kind, text);
    assert.ok(!target.ok, text);
    assert.match(target.error, message);
  }
});

describe('entries', () => {
  test('live as long as they are told to, go from the store, and may come again', async () => {
    const rig = await openRig();
    await stop(rig, 'address', 'a@one.test', { expiresAt: rig.clock.now() + HOUR });
    await stop(rig, 'pattern', '*@trap.test', { expiresAt: rig.clock.now() + HOUR });
    assert.equal(await rig.queue.stopList.expire(), 0);
    rig.clock.advance(HOUR);
    assert.deepEqual([found(rig, 'a@one.test'), found(rig, 'a@trap.test')], [undefined, undefined]);
    assert.equal(await rig.queue.stopList.expire(), 2);
    assert.deepEqual(keysOf(rig.kv, 'stop_list'), []);
    await stop(rig, 'address', 'a@one.test');
    assert.equal(found(rig, 'a@one.test'), 'a@one.test');
  });

  test('one that comes by itself never shortens one that is there; an operator may', async () => {
    const rig = await openRig();
    const expiresAt = rig.clock.now() + HOUR;
    await stop(rig, 'address', 'a@one.test', { source: 'complaint' });
    await stop(rig, 'address', 'a@one.test', { source: 'hard_bounce', expiresAt });
    assert.equal(rig.queue.stopList.find('a@one.test', undefined)?.source, 'complaint');
    await stop(rig, 'address', 'a@one.test', { source: 'operator', expiresAt });
    assert.equal(rig.queue.stopList.find('a@one.test', undefined)?.expiresAt, expiresAt);
    await stop(rig, 'address', 'a@one.test', { source: 'hard_bounce', expiresAt: expiresAt + DAY });
    rig.clock.advance(2 * HOUR);
    assert.equal(await rig.queue.stopList.expire(), 0, 'the key of the earlier end went with it');
    assert.equal(rig.queue.stopList.find('a@one.test', undefined)?.source, 'hard_bounce');
  });

  test('survive a restart, are listed in pages without loss, and go when they are removed', async () => {
    const rig = await openRig();
    const entries = Array.from({ length: 2500 }, (_, i) =>
      entry(rig, 'address', `u${i}@one.test`, { source: 'import' }),
    );
    entries.push(
      entry(rig, 'domain', 'two.test'),
      entry(rig, 'pattern', '*@trap*.test', { accountId: 'acme' }),
    );
    assert.deepEqual(await rig.queue.stopList.add(entries), { ok: true, value: 2502 });
    const { queue } = await crash(rig);
    assert.equal(queue.stopList.find('x@trap9.test', 'acme')?.kind, 'pattern');
    const seen = new Set<string>();
    let cursor: string | undefined;
    do {
      const page = queue.stopList.list({ limit: 999, cursor });
      for (const { value } of page.entries) seen.add(value);
      cursor = page.next;
    } while (cursor !== undefined);
    assert.equal(seen.size, 2502);
    assert.equal(queue.stopList.list({ limit: 10, source: 'operator' }).entries.length, 2);
    assert.equal(queue.stopList.list({ limit: 10, kind: 'domain' }).entries[0]?.value, 'two.test');
    assert.equal(queue.stopList.list({ limit: 10, cursor: '!!' }).entries.length, 10, 'a cursor of nobody');
    assert.equal(await queue.stopList.remove(entries), 2502);
    assert.equal(await queue.stopList.remove(entries), 0);
    assert.deepEqual(keysOf(rig.kv, 'stop_list'), []);
    assert.equal(queue.stopList.find('x@trap9.test', 'acme'), undefined);
  });

  test('of a commit that failed are not there, also not in memory', async () => {
    const kv = new FaultyKv();
    const rig = await openRig({ kv });
    kv.failures = 1;
    await assert.rejects(rig.queue.stopList.add([entry(rig, 'pattern', '*@trap.test')]));
    assert.equal(found(rig, 'a@trap.test'), undefined);
  });

  test('patterns are few', async () => {
    const rig = await openRig();
    const many = (count: number): StopEntry[] =>
      Array.from({ length: count }, (_, i) => entry(rig, 'pattern', `*@trap${i}.test`));
    assert.ok((await rig.queue.stopList.add(many(MAX_PATTERNS))).ok);
    assert.ok((await rig.queue.stopList.add(many(MAX_PATTERNS))).ok, 'the same ones again');
    const more = await rig.queue.stopList.add([
      entry(rig, 'pattern', '*@one-more.test'),
      entry(rig, 'domain', 'x.test'),
    ]);
    assert.ok(!more.ok);
    assert.equal(found(rig, 'a@x.test'), undefined, 'nothing of the request was stored');
  });
});

test('a failed outcome brings its entry in the same commit', async () => {
  const kv = new FaultyKv();
  const rig = await openRig({ kv });
  const delivery = await acceptLeased(rig);
  const stopped = entry(rig, 'address', delivery.record.recipient, {
    source: 'hard_bounce',
    reason: 'no such user',
  });
  const outcome = { ...failed(rig), stop: stopped };
  kv.failures = 1;
  await assert.rejects(rig.queue.record(delivery, outcome));
  assert.equal(found(rig, 'a@one.test'), undefined);
  const before = kv.commits;
  await rig.queue.record(delivery, outcome);
  assert.equal(kv.commits, before + 1);
  assert.deepEqual(rig.queue.stopList.find('a@one.test', undefined), { ...stopped, accountId: undefined });
  assert.deepEqual(eventTypes(rig), ['accepted', 'hard_bounce']);
});
