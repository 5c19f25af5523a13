import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { FakeOwner } from './fake-owner.ts';

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

describe('what is leased', () => {
  test('waits in the store until there is a place for a session', () => {
    const owner = new FakeOwner();
    owner.maxSessions = 0;
    owner.destination.ready(owner.queue('one.test', 3));
    assert.equal(owner.asked.length, 0);
    owner.maxSessions = 1;
    owner.destination.pump();
    assert.equal(owner.asked.length, 1);
    assert.equal(owner.sessions, 1, 'the place is taken before the store answers');
    assert.equal(owner.lane.sessions, 1);
    owner.answerAll();
    assert.equal(owner.sessions, 1, 'and used');
  });

  test('gives its place up when there is nothing after all', () => {
    const owner = new FakeOwner();
    const queue = owner.queue('one.test', 3);
    owner.destination.ready(queue);
    owner.due.set(queue, 0);
    owner.answer();
    assert.equal(owner.sessions, 0);
    assert.equal(owner.lane.sessions, 0);
    assert.ok(owner.destination.unused);
  });

  test('gives its place up when the destination stops meanwhile', () => {
    const owner = new FakeOwner();
    owner.destination.ready(owner.queue('one.test', 3));
    owner.active = false;
    owner.answer();
    owner.destination.stop();
    assert.equal(owner.sessions, 0);
    assert.equal(owner.lane.sessions, 0);
  });

  test('is two for each session where there are no places for more', () => {
    const owner = new FakeOwner();
    const queue = owner.queue('one.test', 100);
    owner.destination.ready(queue);
    owner.setDue(queue, 1);
    owner.answerAll();
    owner.openAll();
    owner.maxSessions = owner.sessions;
    owner.setDue(queue, 100);
    owner.destination.ready(queue);
    assert.deepEqual(
      owner.asked.map(({ limit }) => limit),
      [2],
    );
    owner.answer();
    assert.equal(owner.asked.length, 0);
  });

  test('at its acceptance: nothing where it would wait for a place', () => {
    const owner = new FakeOwner();
    const queue = owner.queue('one.test', 0);
    owner.maxSessions = 0;
    assert.equal(owner.destination.claim(queue), false);
    owner.maxSessions = 1;
    assert.equal(owner.destination.claim(queue), true);
  });

  test('is two where the place that was taken is the last one', () => {
    const owner = new FakeOwner({ concurrentConnections: 20 });
    owner.maxSessions = 1;
    owner.destination.ready(...Array.from({ length: 10 }, (_, at) => owner.queue(`d${at}.test`, 50)));
    assert.equal(
      owner.asked.reduce((sum, { limit }) => sum + limit, 0),
      2,
    );
  });

  test('keeps its place for the next queue when the first brings nothing', () => {
    const owner = new FakeOwner();
    owner.maxSessions = 1;
    const [one, other] = [owner.queue('one.test', 1), owner.queue('other.test', 1)];
    owner.destination.ready(one);
    owner.due.set(one, 0);
    const ended: number[] = [];
    owner.places.ended = () => ended.push(owner.sessions--);
    owner.onLease = (queue, limit) => owner.asked.push({ queue, limit });
    owner.destination.ready(other);
    owner.answer();
    assert.deepEqual(ended, []);
  });

  test('of mail that is dropped is as much as ever, and needs no place', () => {
    const owner = new FakeOwner({ drop: true, concurrentConnections: 20 });
    owner.maxSessions = 0;
    const queue = owner.queue('one.test', 100);
    queue.asks = 100;
    owner.destination.ready(queue);
    assert.equal(owner.asked[0]!.limit, 40);
  });

  test('that was claimed and does not come leaves room for what waits', () => {
    const owner = new FakeOwner({ concurrentConnections: 1 });
    const [one, other] = [owner.queue('one.test', 0), owner.queue('other.test', 0)];
    for (let i = 0; i < 2; i++) assert.ok(owner.destination.claim(one));
    owner.setDue(other, 1);
    owner.destination.ready(other);
    assert.equal(owner.asked.length, 0);
    for (let i = 0; i < 2; i++) owner.destination.unclaim(one);
    assert.equal(owner.asked.length, 1);
  });
});
