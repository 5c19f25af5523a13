/** A wall clock that is set back or forward by hours: what waits goes on, and nothing ends before its time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answerOps } from '../../../src/queue/index.ts';
import { BELIEVED_MS } from '../../../src/queue/clock-watch.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  acceptLeased,
  crash,
  DAY,
  deferred,
  delivered,
  eventTypes,
  FaultyKv,
  HOUR,
  keysOf,
  lease,
  newMessage,
  openRig,
  type Rig,
} from './fixture.ts';

const MINUTE = 60_000;

/** What the running program does every second, and the job that comes of it. */
async function look(rig: Rig): Promise<void> {
  await rig.queue.lookAtClock();
  while (await rig.queue.operations.step());
}

async function setClock(rig: Rig, ms: number): Promise<void> {
  await look(rig);
  rig.clock.step(ms);
  await look(rig);
}

const sound = (rig: Rig): void => assert.deepEqual(auditStore(rig.kv), []);

describe('a clock that is set back', () => {
  test('keeps nothing waiting that was due', async () => {
    const rig = await openRig();
    await accept(rig);
    await setClock(rig, -5 * HOUR);
    assert.equal((await lease(rig)).length, 1);
    sound(rig);
  });

  test('makes no retry wait longer than it would have', async () => {
    const rig = await openRig();
    await rig.queue.record(await acceptLeased(rig), deferred(rig, 10 * MINUTE));
    rig.clock.advance(4 * MINUTE);
    await setClock(rig, -5 * HOUR);
    rig.clock.advance(5 * MINUTE);
    assert.equal((await lease(rig)).length, 0, 'a minute is left');
    rig.clock.advance(MINUTE + 1_000);
    assert.equal((await lease(rig)).length, 1);
    sound(rig);
  });

  test('leaves a time that was asked for, and what came after it', async () => {
    const rig = await openRig();
    await accept(rig, { delayMs: 2 * HOUR });
    await look(rig);
    rig.clock.step(-5 * HOUR);
    await rig.queue.record(await acceptLeased(rig), deferred(rig, 10 * MINUTE));
    await look(rig);
    rig.clock.advance(9 * MINUTE);
    assert.equal((await lease(rig)).length, 0);
    rig.clock.advance(2 * MINUTE);
    assert.equal((await lease(rig)).length, 1, 'the retry that was asked for by the new clock');
    rig.clock.advance(6 * HOUR);
    assert.equal((await lease(rig)).length, 0, 'not before the time that was asked for');
    rig.clock.advance(HOUR);
    assert.equal((await lease(rig)).length, 1);
    sound(rig);
  });

  test('keeps nothing waiting that was leased meanwhile and is given back', async () => {
    const rig = await openRig();
    const delivery = await acceptLeased(rig);
    await setClock(rig, -5 * HOUR);
    await setClock(rig, -2 * HOUR);
    await rig.queue.record(delivery, { kind: 'released', wakeAt: delivery.record.wakeAt });
    await look(rig);
    assert.equal((await lease(rig)).length, 1);
    sound(rig);
  });

  test('leaves the times of now to what was leased meanwhile', async () => {
    const rig = await openRig();
    const [tried, put] = [await acceptLeased(rig), await acceptLeased(rig)];
    await setClock(rig, -5 * HOUR);
    await rig.queue.record(tried, deferred(rig, 10 * MINUTE));
    await rig.queue.record(put, { kind: 'released', wakeAt: rig.clock.now() + 10 * MINUTE });
    await look(rig);
    rig.clock.advance(9 * MINUTE);
    assert.equal((await lease(rig)).length, 0);
    rig.clock.advance(2 * MINUTE);
    assert.equal((await lease(rig)).length, 2);
    sound(rig);
  });

  test('after a small step forward keeps what was due waiting no longer than that', async () => {
    const rig = await openRig();
    await look(rig);
    rig.clock.step(400);
    await accept(rig);
    rig.clock.step(-5 * HOUR);
    await look(rig);
    rig.clock.advance(400);
    assert.equal((await lease(rig)).length, 1);
    sound(rig);
  });

  test('while the program did not run is noticed at its start', async () => {
    const rig = await openRig();
    await accept(rig);
    rig.clock.step(-5 * HOUR);
    const again = await crash(rig);
    await look(again);
    assert.equal((await lease(again)).length, 1);
    sound(again);
  });

  test('is noticed by the next start also when a crash came before anybody looked, and events after the step', async () => {
    const rig = await openRig();
    await accept(rig);
    rig.clock.step(-5 * HOUR);
    await accept(rig);
    const again = await crash(await crash(rig));
    await look(again);
    assert.equal((await lease(again)).length, 2);
    const last = await crash(again);
    await look(last);
    assert.equal(last.queue.operations.list().length, 1, 'one job for one step');
    sound(last);
  });

  /** More than one slice of the job goes through at a time. */
  const RETRIES = 150;

  /** Retries that are due in ten minutes, and a clock that is set back; commits tell of events, or of none. */
  async function setBackBeside(what: 'events' | 'nothing'): Promise<Rig> {
    const rig = await openRig({ kv: new FaultyKv() });
    await accept(rig, { to: Array.from({ length: RETRIES }, (_, i) => `r${i}@one.test`) });
    for (const one of await lease(rig, 'one.test', { limit: RETRIES }))
      await rig.queue.record(one, deferred(rig, 10 * MINUTE));
    await look(rig);
    rig.clock.step(-5 * HOUR);
    if (what === 'events') await accept(rig, { delayMs: DAY });
    else await rig.queue.prune();
    return rig;
  }

  /** Goes on for so many commits, then the program is killed; says whether it was. */
  async function killedAfter(rig: Rig, commits: number): Promise<{ next: Rig; killed: boolean }> {
    const kv = rig.store as FaultyKv;
    kv.fails = (done) => done > commits;
    let next = rig;
    let killed = false;
    try {
      next = await crash(rig);
      await next.queue.lookAtClock();
      while (await next.queue.operations.step(0));
    } catch {
      killed = true;
    }
    kv.fails = () => false;
    return { next, killed };
  }

  for (const what of ['events', 'nothing'] as const) {
    test(`is one step, whenever the program is killed meanwhile, also twice (commits with ${what})`, async () => {
      for (let first = 0, kills = true; kills; first++) {
        for (let second = 0, again = true; again; second++) {
          const rig = await setBackBeside(what);
          ({ killed: kills } = await killedAfter(rig, first));
          ({ killed: again } = await killedAfter(rig, second));
          const last = await crash(rig);
          await look(last);
          const at = `killed after ${first} and ${second} commits`;
          assert.equal(last.queue.operations.list().length, 1, `one job, ${at}`);
          last.clock.advance(9 * MINUTE);
          assert.equal((await lease(last)).length, 0, `none goes too early, ${at}`);
          last.clock.advance(MINUTE + 1_000);
          assert.equal((await lease(last, 'one.test', { limit: 1_000 })).length, RETRIES, at);
          sound(last);
        }
      }
    });
  }

  test('is one step when the commit with its job fails', async () => {
    const rig = await setBackBeside('events');
    const kv = rig.store as FaultyKv;
    kv.failures = Infinity; // the queue has commits of its own
    await assert.rejects(rig.queue.lookAtClock(), /disk is full/);
    kv.failures = 0;
    await look(rig);
    assert.equal(rig.queue.operations.list().length, 1);
    await look(await crash(rig));
    assert.equal(rig.queue.operations.list().length, 1);
    rig.clock.advance(11 * MINUTE);
    assert.equal((await lease(rig, 'one.test', { limit: 1_000 })).length, RETRIES);
  });

  test('leaves the times of now to what is tried while the job goes on, also after a restart', async () => {
    const rig = await openRig();
    const tried = await acceptLeased(rig);
    await look(rig);
    rig.clock.step(-5 * HOUR);
    await rig.queue.lookAtClock();
    rig.clock.advance(2 * MINUTE);
    await rig.queue.record(tried, deferred(rig, 10 * MINUTE));
    const again = await crash(rig);
    while (await again.queue.operations.step());
    again.clock.advance(9 * MINUTE);
    assert.equal((await lease(again)).length, 0);
    again.clock.advance(2 * MINUTE);
    assert.equal((await lease(again)).length, 1);
    sound(again);
  });

  test('by a few seconds is no step', async () => {
    const rig = await openRig();
    await setClock(rig, -5_000);
    assert.equal(eventTypes(rig).length, 0);
  });
});

describe('a clock that is set forward', () => {
  test('and back again within minutes has ended nothing', async () => {
    const rig = await openRig();
    await accept(rig, { delayMs: 2 * HOUR, lifetimeMs: DAY });
    await setClock(rig, 3 * DAY);
    await look(rig);
    const told = rig.reports.map(({ text }) => text);
    assert.match(
      told.join('\n'),
      /^the clock was set forward by 3d: .* ends in 10m, unless it is set back before$/,
    );
    await rig.queue.sweep();
    rig.clock.advance(BELIEVED_MS - MINUTE);
    await rig.queue.sweep();
    assert.equal((await lease(rig)).length, 1, 'it is tried, for its lifetime is not over');
    await setClock(rig, -3 * DAY);
    await rig.queue.sweep();
    assert.ok(!eventTypes(rig).includes('undelivered'));
    sound(rig);
  });

  test('and stays there is believed after a while', async () => {
    const rig = await openRig();
    await accept(rig, { lifetimeMs: DAY });
    await setClock(rig, 3 * DAY);
    rig.clock.advance(BELIEVED_MS + 1_000);
    await rig.queue.sweep();
    assert.deepEqual(eventTypes(rig), ['accepted', 'undelivered']);
    sound(rig);
  });
});

describe('a clock that was years ahead for a while', () => {
  /** A request with a key, of which everything ends. */
  async function sendTo(rig: Rig, to: readonly string[]): Promise<void> {
    const input = newMessage(rig, { to });
    const answer = { number: input.number, at: rig.clock.now(), digest: 'digest', answer: undefined };
    await rig.queue.accept({ ...input, also: answerOps(`shop\0${input.number}`, answer) });
    const leased = await lease(rig, 'one.test', { limit: 1_000 });
    await Promise.all(leased.map((delivery) => rig.queue.record(delivery, delivered(rig))));
  }

  const sizes = ({ kv }: Rig): number[] =>
    (['history', 'messages', 'lines', 'answers', 'recipients'] as const).map(
      (table) => keysOf(kv, table).length,
    );

  test('keeps nothing of what comes later beyond its time', { timeout: 60_000 }, async () => {
    const rig = await openRig();
    const many = Array.from({ length: 700 }, (_, i) => `u${i}@one.test`);
    await setClock(rig, 730 * DAY);
    await sendTo(rig, many);
    await setClock(rig, -730 * DAY);
    for (let day = 0; day < 30; day++) {
      await sendTo(rig, ['a@one.test', 'b@one.test']);
      await sendTo(rig, ['a@one.test']);
      rig.clock.advance(DAY);
      const before = rig.clock.now() - 2 * DAY;
      for (let i = 0; i < 4; i++)
        await rig.queue.trim({ historyBefore: before, journalBefore: 0, answersBefore: before });
    }
    const days = 2;
    assert.deepEqual(sizes(rig), [700 + 3 * days, 1 + days, 1 + 2 * days, 1 + 2 * days, 1 + 2 * days]);
    sound(rig);
  });

  test('leaves the lines of later requests whose answers are damaged: they may be asked for still', async () => {
    const rig = await openRig();
    await setClock(rig, 730 * DAY);
    await sendTo(rig, ['a@one.test']);
    await setClock(rig, -730 * DAY);
    for (let i = 0; i < 3; i++) await sendTo(rig, ['a@one.test']);
    const [ahead, , noAnswer, noKey] = keysOf(rig.kv, 'lines');
    const [, , answer] = keysOf(rig.kv, 'answers');
    const value = Buffer.from('rubbish');
    await rig.kv.commit([
      { table: 'answers', key: Buffer.from(answer!, 'hex'), value },
      { table: 'lines', key: Buffer.from(noKey!, 'hex'), value },
    ]);
    rig.clock.advance(DAY);
    await rig.queue.trim({ historyBefore: 0, journalBefore: 0, answersBefore: rig.clock.now() });
    assert.deepEqual(keysOf(rig.kv, 'lines'), [ahead, noAnswer, noKey]);
  });

  test('beyond all numbers gives each message one of its own', async () => {
    const rig = await openRig();
    await setClock(rig, 100 * 365 * DAY);
    const numbers = [];
    for (let i = 0; i < 3; i++) numbers.push(await accept(rig));
    const again = await crash(rig);
    for (let i = 0; i < 3; i++) numbers.push(await accept(again));
    assert.ok(numbers.every(Number.isSafeInteger));
    assert.equal(new Set(numbers).size, 6);
    assert.deepEqual(
      numbers.toSorted((a, b) => a - b),
      numbers,
    );
    sound(again);
  });
});
