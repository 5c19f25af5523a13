/** A wall clock that is set back or forward by hours: what waits goes on, and nothing ends before its time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BELIEVED_MS } from '../../../src/queue/clock-watch.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  acceptLeased,
  crash,
  DAY,
  deferred,
  eventTypes,
  HOUR,
  lease,
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
