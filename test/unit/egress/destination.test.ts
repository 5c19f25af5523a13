import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import fc from 'fast-check';
import type { Refusal } from '../../../src/core/index.ts';
import type { FlowQueue } from '../../../src/mta/egress/flow-queue.ts';
import { FakeOwner, session, stateOf } from './fake-owner.ts';
import { leased } from './leased.ts';

// Idle sessions and rests wait for no real time, and leave no timer behind.
beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

const REFUSED: Refusal = {
  scope: 'host',
  permanent: false,
  phase: 'connect',
  reply: undefined,
  cause: 'connect',
  text: 'nobody there',
};

/** Takes deliveries one after the other, as a session does; gives their domains. */
async function drain(owner: FakeOwner, count: number): Promise<string[]> {
  const one = session();
  const domains: string[] = [];
  while (domains.length < count) {
    const delivery = await owner.destination.next(one);
    owner.answerAll();
    domains.push(delivery!.record.recipient.slice(2));
    owner.lane.inFlight--;
    void owner.lane.spend(new AbortController().signal);
  }
  return domains;
}

describe('turns', () => {
  test('a queue of 10 is not delayed by a queue of 1,000', async () => {
    const owner = new FakeOwner({ concurrentConnections: 3 });
    owner.destination.ready(owner.queue('long.test', 1_000));
    owner.answerAll();
    owner.destination.ready(owner.queue('short.test', 10));
    owner.answerAll();
    const order = await drain(owner, 1_010);
    const last = order.lastIndexOf('short.test');
    assert.ok(last <= 2 * 10 + owner.lane.capacity, `the short queue was done after ${last + 1}`);
    assert.equal(order.filter((domain) => domain === 'short.test').length, 10);
  });

  test('many queues get the same, whatever they hold', async () => {
    const owner = new FakeOwner({ concurrentConnections: 2 });
    for (let i = 0; i < 20; i++) {
      owner.destination.ready(owner.queue(`d${i}.test`, 10 + 50 * i));
      owner.answerAll();
    }
    const counts = new Map<string, number>();
    for (const domain of await drain(owner, 200)) counts.set(domain, (counts.get(domain) ?? 0) + 1);
    assert.equal(counts.size, 20);
    for (const [domain, count] of counts)
      assert.ok(count >= 7 && count <= 13, `${domain} got ${count} of 200`);
  });

  test('everything comes out once, and in the order of its queue', async () => {
    const owner = new FakeOwner();
    const queue = owner.queue('one.test', 0);
    const deliveries = Array.from({ length: 5 }, () => leased());
    for (const delivery of deliveries) owner.destination.arrived(queue, delivery, false);
    const one = session();
    for (const delivery of deliveries) assert.equal(await owner.destination.next(one), delivery);
    assert.equal(await stateOf(owner.destination.next(one)), 'waiting');
  });

  test('what is put back comes first', async () => {
    const owner = new FakeOwner();
    const queue = owner.queue('one.test', 0);
    const [first, second] = [leased(), leased()];
    for (const delivery of [first, second]) owner.destination.arrived(queue, delivery, false);
    const taken = await owner.destination.next(session());
    owner.destination.putBack(queue, taken!);
    assert.equal(await owner.destination.next(session()), first);
    assert.equal(await owner.destination.next(session()), second);
  });
});

describe('sessions', () => {
  test('as many as there is mail for, never more than concurrent_connections', () => {
    const mail = fc.integer({ min: 0, max: 30 });
    fc.assert(
      fc.property(mail, fc.integer({ min: 1, max: 10 }), (due, concurrentConnections) => {
        const owner = new FakeOwner({ concurrentConnections });
        owner.destination.ready(owner.queue('one.test', due));
        owner.answerAll();
        assert.ok(owner.sessions <= 1, 'one that shows whether anybody is there');
        owner.openAll();
        assert.equal(owner.sessions, Math.min(due, concurrentConnections));
        assert.equal(owner.lane.sessions, owner.sessions);
      }),
    );
  });

  test('none while one is idle: it gets the delivery', async () => {
    const owner = new FakeOwner();
    const next = owner.destination.next(session());
    owner.destination.ready(owner.queue('one.test', 1));
    const [delivery] = owner.answer();
    assert.equal(await next, delivery);
    assert.equal(owner.sessions, 0);
  });

  test('an idle one is used before it is ended, the one used last first', async () => {
    const owner = new FakeOwner();
    const [first, second] = [owner.destination.next(session()), owner.destination.next(session())];
    owner.destination.ready(owner.queue('one.test', 1));
    const [delivery] = owner.answer();
    assert.equal(await stateOf(second), delivery);
    assert.equal(await stateOf(first), 'waiting');
  });

  test('idle for long enough it ends', async () => {
    const owner = new FakeOwner();
    const next = owner.destination.next(session());
    mock.timers.tick(owner.idle - 1);
    assert.equal(await stateOf(next), 'waiting');
    mock.timers.tick(1);
    assert.equal(await stateOf(next), undefined);
  });

  test('closed by the peer it ends at once, and is not handed mail', async () => {
    const owner = new FakeOwner();
    const [gone, here] = [session(), session()];
    const waiting = [owner.destination.next(here), owner.destination.next(gone)] as const;
    owner.destination.sessionClosed(gone);
    assert.equal(await stateOf(waiting[1]), undefined);
    owner.destination.ready(owner.queue('one.test', 1));
    const [delivery] = owner.answer();
    assert.equal(await stateOf(waiting[0]), delivery);
    assert.equal(await stateOf(owner.destination.next(session(false))), undefined);
  });

  test('eviction ends so many idle ones, the oldest first', async () => {
    const owner = new FakeOwner();
    const waiting = [1, 2, 3].map(() => owner.destination.next(session()));
    assert.equal(owner.destination.evict(2), 2);
    assert.deepEqual(await Promise.all(waiting.map(stateOf)), [undefined, undefined, 'waiting']);
    assert.equal(owner.destination.evict(2), 1);
    assert.equal(owner.destination.evict(2), 0);
  });

  test('none where the node has no place', () => {
    const owner = new FakeOwner();
    owner.maxSessions = 0;
    owner.destination.ready(owner.queue('one.test', 5));
    owner.answerAll();
    assert.equal(owner.lane.sessions, 0);
    owner.maxSessions = 2;
    owner.destination.pump();
    owner.openAll();
    assert.equal(owner.lane.sessions, 2);
  });

  test('none when the token is far away', () => {
    const owner = new FakeOwner({ ratePerInterval: { count: 1, perMs: 60_000 } });
    owner.lane.promise();
    owner.destination.ready(owner.queue('one.test', 5));
    owner.answerAll();
    assert.equal(owner.sessions, 0);
    owner.lane.forgo();
    owner.destination.pump();
    assert.equal(owner.sessions, 1);
    owner.lane.stop();
  });
});

describe('what is in memory', () => {
  type Work = 'ready' | 'answer' | 'claim' | 'grant' | 'unclaim' | 'take';
  const work = fc.constantFrom<Work>('ready', 'answer', 'claim', 'grant', 'unclaim', 'take');

  test('never more than the capacity, and every place comes back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(work, fc.nat(4)), { maxLength: 80 }), async (works) => {
        const owner = new FakeOwner({ concurrentConnections: 4 });
        const queues = [0, 1, 2, 3, 4].map((i) => owner.queue(`d${i}.test`, 20 * i));
        const claims: FlowQueue[] = [];
        const { destination, lane } = owner;
        for (const [one, i] of works) {
          const queue = queues[i]!;
          if (one === 'ready') destination.ready(queue);
          else if (one === 'answer' && owner.asked.length > 0) owner.answer();
          else if (one === 'claim' && destination.claim(queue)) claims.push(queue);
          else if (one === 'unclaim' && claims.length > 0) destination.unclaim(claims.pop()!);
          else if (one === 'grant' && claims.length > 0) destination.arrived(claims.pop()!, leased(), true);
          else if (one === 'take' && (await stateOf(destination.next(session()))) !== 'waiting')
            lane.inFlight--;
          destination.evict(Infinity);
          const reserved = claims.length + owner.asked.reduce((sum, { limit }) => sum + limit, 0);
          assert.ok(lane.inFlight + reserved <= lane.capacity, `${lane.inFlight} and ${reserved} reserved`);
        }
        while (claims.length > 0) destination.unclaim(claims.pop()!);
        owner.active = true;
        for (const queue of queues) owner.setDue(queue, 0);
        owner.answerAll();
        destination.stop();
        for (let i = 0; i < lane.capacity; i++)
          assert.ok(destination.claim(queues[0]!), `place ${i} is free`);
        assert.ok(!destination.claim(queues[0]!), 'and no more');
      }),
      { numRuns: 150 },
    );
  });

  test('nothing is leased without memory for it, nothing by a node that is not active', () => {
    const owner = new FakeOwner();
    owner.room = false;
    const queue = owner.queue('one.test', 5);
    owner.destination.ready(queue);
    assert.equal(owner.asked.length, 0);
    owner.room = true;
    owner.active = false;
    owner.destination.pump();
    assert.equal(owner.asked.length, 0);
    assert.ok(!owner.destination.claim(queue));
    owner.active = true;
    owner.destination.pump();
    assert.equal(owner.asked.length, 1);
  });

  test('one lease request for each queue at a time', () => {
    const owner = new FakeOwner();
    const [short, long] = [owner.queue('short.test', 1), owner.queue('long.test', 500)];
    owner.active = false;
    owner.destination.ready(short);
    owner.destination.ready(long);
    owner.active = true;
    owner.destination.pump();
    assert.equal(owner.answer().length, 1);
    owner.destination.pump();
    assert.deepEqual(
      owner.asked.map(({ queue }) => queue),
      [long],
      'there is room for more, but its request is under way',
    );
  });

  test('no claim where speed is limited, nor for mail that is dropped', () => {
    const limited = new FakeOwner({ ratePerInterval: { count: 1_000, perMs: 1_000 } });
    assert.ok(!limited.destination.claim(limited.queue('one.test', 0)));
    const dropping = new FakeOwner({ drop: true });
    assert.ok(!dropping.destination.claim(dropping.queue('one.test', 0)));
  });

  test('a queue that moves takes its claims with it', () => {
    const [from, to] = [
      new FakeOwner({ concurrentConnections: 1 }),
      new FakeOwner({ concurrentConnections: 1 }),
    ];
    const queue = from.queue('one.test', 0);
    const other = from.queue('other.test', 0);
    assert.ok(
      from.destination.claim(queue) && from.destination.claim(queue) && !from.destination.claim(other),
    );
    from.destination.arrived(queue, leased(), true);
    assert.equal(from.destination.detach(queue).length, 1);
    to.destination.attach(queue);
    assert.ok(to.destination.claim(other), 'one of two places is taken there');
    assert.ok(!to.destination.claim(other));
    assert.ok(from.destination.claim(other) && from.destination.claim(other), 'and none here');
  });

  test('a queue that becomes ready in the middle of a pump is looked at again', () => {
    const owner = new FakeOwner();
    const queue = owner.queue('one.test', 5);
    owner.onLease = () => {
      // As when the plan is found to be out of date, and a fresh one is at hand.
      owner.onLease = undefined;
      queue.leasing = false;
      owner.destination.leased(queue, 0);
      owner.destination.ready(queue);
    };
    owner.destination.ready(queue);
    assert.equal(owner.asked.length, 1);
  });
});

describe('rest', () => {
  test('after a failure one delivery bears the refusal, and nothing is opened or leased until it is over', () => {
    const owner = new FakeOwner({ concurrentConnections: 4 });
    const [one, two] = [owner.queue('one.test', 5), owner.queue('two.test', 5)];
    owner.destination.ready(one);
    owner.destination.ready(two);
    owner.answerAll();
    for (const open of [1, 2]) {
      assert.equal(owner.sessions, open);
      owner.destination.opened();
      owner.destination.pump();
    }
    assert.equal(owner.sessions, 4, 'two are open, two more at once');
    const { bearer, others } = owner.destination.openFailed(REFUSED);
    assert.ok(bearer);
    assert.equal(others.length, owner.lane.capacity - 1);
    assert.match(owner.destination.resting()!, /next connection in 1 s, after: nobody there/);
    assert.equal(
      owner.destination.openFailed(REFUSED).bearer,
      undefined,
      'the other session had no host either',
    );
    assert.match(owner.destination.resting()!, /next connection in 1 s/);
    owner.endAll();
    owner.destination.ready(one);
    assert.deepEqual([owner.asked.length, owner.sessions], [0, 0]);
    assert.ok(!owner.destination.claim(one));
    owner.clock.advance(1_000);
    mock.timers.tick(1_000);
    assert.equal(owner.destination.resting(), undefined);
    owner.answerAll();
    assert.equal(owner.sessions, 1, 'one tries');
  });

  test('rests grow, and begin anew after a session', () => {
    const owner = new FakeOwner();
    const restSeconds = (): number => {
      owner.clock.advance(300_000);
      owner.destination.openFailed(REFUSED);
      return Number(/in (\d+) s/.exec(owner.destination.resting()!)![1]);
    };
    assert.deepEqual([1, 2, 3, 4].map(restSeconds), [1, 2, 4, 8]);
    owner.destination.opened();
    assert.equal(restSeconds(), 1);
  });

  test('a node that comes back in the middle of a rest does not wait for ever', () => {
    const owner = new FakeOwner();
    const queue = owner.queue('one.test', 3);
    owner.destination.openFailed(REFUSED);
    owner.active = false;
    owner.destination.stop();
    owner.active = true;
    owner.destination.ready(queue);
    owner.clock.advance(2_000);
    mock.timers.tick(2_000);
    assert.equal(owner.asked.length, 1);
  });
});

describe('the end', () => {
  test('stop gives back what waits and ends idle sessions', async () => {
    const owner = new FakeOwner();
    const next = owner.destination.next(session());
    await stateOf(next);
    owner.active = false;
    const queue = owner.queue('one.test', 0);
    for (let i = 0; i < 3; i++) owner.destination.arrived(queue, leased(), false);
    assert.equal(owner.destination.stop().length, 3);
    assert.equal(await next, undefined);
    assert.equal(await owner.destination.next(session()), undefined);
    assert.equal(queue.buffered, 0);
  });

  test('it is unused only without mail, claims, requests and sessions', async () => {
    const owner = new FakeOwner();
    assert.ok(owner.destination.unused);
    const queue = owner.queue('one.test', 1);
    const other = owner.queue('other.test', 0);
    assert.ok(owner.destination.claim(other) && !owner.destination.unused, 'claimed');
    owner.destination.unclaim(other);
    owner.destination.ready(queue);
    assert.ok(!owner.destination.unused, 'leasing');
    owner.answer();
    owner.destination.opened();
    assert.ok(await owner.destination.next(session()));
    assert.ok(!owner.destination.unused, 'a session is in the middle of a transaction');
  });
});
