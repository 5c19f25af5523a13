import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { Parking, roomIn } from '../../../src/mta/egress/parking.ts';
import { headOf } from './leased.ts';

/** A limit that is only numbers. */
class Gate {
  readonly parking = new Parking(this);
  left = 0;
  waitMs = 1_000;
  readonly woken: string[] = [];

  room = (most: number): number => Math.min(most, this.left);
  nextRoomMs = (): number => this.waitMs;

  park(domain: string, campaign = domain, rank?: number): void {
    const head = headOf({ domain, campaign, ...(rank === undefined ? {} : { rank }) });
    this.parking.add(head, () => this.woken.push(domain));
  }
}

/** Timers that the test turns. */
function timersOf(t: TestContext): TestContext['mock']['timers'] {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  return t.mock.timers;
}

describe('queues that wait for a limit', () => {
  test('are woken as many at a time as may go, and each of them in the end', (t) => {
    const timers = timersOf(t);
    const gate = new Gate();
    for (let i = 0; i < 5; i++) gate.park(`d${i}`);
    timers.tick(1_000);
    assert.deepEqual(gate.woken, [], 'no room yet');
    gate.left = 2;
    timers.tick(1_000);
    assert.deepEqual(gate.woken, ['d0', 'd1']);
    for (let i = 0; i < 2; i++) timers.tick(1_000);
    assert.deepEqual(gate.woken, ['d0', 'd1', 'd2', 'd3', 'd4']);
    assert.equal(gate.parking.size, 0);
  });

  test('are woken by and by when all of very many may go', (t) => {
    const timers = timersOf(t);
    const gate = new Gate();
    for (let i = 0; i < 1_200; i++) gate.park(`d${i}`);
    [gate.left, gate.waitMs] = [10_000, 0];
    timers.tick(1_000);
    assert.equal(gate.woken.length, 500);
    timers.tick(5);
    assert.equal(gate.woken.length, 1_000);
    timers.tick(5);
    assert.equal(gate.woken.length, 1_200);
  });

  test('take turns by campaign', (t) => {
    const timers = timersOf(t);
    const gate = new Gate();
    for (let i = 0; i < 5; i++) gate.park(`large${i}`, 'large');
    gate.park('small', 'small');
    gate.left = 2;
    timers.tick(1_000);
    assert.deepEqual(gate.woken, ['large0', 'small']);
  });

  test('are looked at sooner when there is room sooner', (t) => {
    const timers = timersOf(t);
    const gate = new Gate();
    gate.waitMs = 30_000;
    gate.park('a');
    [gate.left, gate.waitMs] = [1, 0];
    timers.tick(100);
    assert.deepEqual(gate.woken, []);
    gate.parking.lookAgain();
    timers.tick(5);
    assert.deepEqual(gate.woken, ['a']);
  });

  test('are looked at once a minute, however far away the next token is', (t) => {
    const timers = timersOf(t);
    const gate = new Gate();
    gate.waitMs = 80_000_000;
    gate.park('a');
    gate.left = 1;
    timers.tick(60_000);
    assert.deepEqual(gate.woken, ['a']);
  });

  test('are woken by other limits where this one lets nobody go', (t) => {
    const timers = timersOf(t);
    const gate = new Gate();
    gate.waitMs = Infinity;
    gate.park('a');
    gate.park('b');
    gate.left = 1;
    timers.tick(1_000_000);
    assert.deepEqual(gate.woken, []);
    gate.parking.release();
    assert.deepEqual(gate.woken, ['a', 'b']);
    assert.equal(gate.parking.size, 0);
  });

  test('wait at the first limit that has no room, once', (t) => {
    const timers = timersOf(t);
    const [open, shut] = [new Gate(), new Gate()];
    open.left = 3;
    const head = headOf({ domain: 'a' });
    let woken = 0;
    const ask = (): number => roomIn([open, shut], head, { most: 9, wake: () => woken++ });
    assert.deepEqual([ask(), ask()], [0, 0]);
    assert.deepEqual([open.parking.size, shut.parking.size], [0, 1]);
    shut.left = 2;
    assert.equal(ask(), 2);
    timers.tick(1_000);
    assert.equal(woken, 1);
  });
});
