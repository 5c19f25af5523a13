import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, mock, test } from 'node:test';
import { FakeOwner, session } from './fake-owner.ts';

// Idle sessions wait for no real time, and leave no timer behind.
beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

describe('flows', () => {
  /** The campaigns of the next deliveries that sessions take. */
  async function campaigns(owner: FakeOwner, count: number): Promise<string[]> {
    const taken: string[] = [];
    while (taken.length < count) {
      const delivery = await owner.destination.next(session());
      owner.answerAll();
      taken.push(delivery!.queue.campaign);
      owner.lane.inFlight--;
      void owner.lane.spend(new AbortController().signal);
    }
    return taken;
  }

  test('a campaign over a thousand domains does not delay ten messages of another', async () => {
    const owner = new FakeOwner({ concurrentConnections: 5 });
    const large = Array.from({ length: 1_000 }, (_, i) =>
      owner.queue(`d${i}.test`, 1_000, { campaign: 'large' }),
    );
    owner.destination.ready(...large);
    owner.answerAll();
    owner.destination.ready(owner.queue('one.test', 10, { campaign: 'small' }));
    const order = await campaigns(owner, 100);
    assert.equal(order.filter((campaign) => campaign === 'small').length, 10);
    const last = order.lastIndexOf('small');
    assert.ok(last <= owner.lane.capacity + 2 * 10 + 2, `the small campaign was done after ${last + 1}`);
  });

  test('a priority message is not behind standard mail that is still in the store', async () => {
    const owner = new FakeOwner({ concurrentConnections: 5 });
    owner.destination.ready(owner.queue('one.test', 1_000, { campaign: 'large' }));
    owner.answerAll();
    owner.destination.ready(owner.queue('one.test', 5, { campaign: 'code', rank: 0 }));
    const order = await campaigns(owner, 50);
    const last = order.lastIndexOf('code');
    assert.ok(last <= 5 + 5 + 1, `the last one went out as ${last + 1}`);
  });

  test('standard mail has one turn in twenty while priority mail never ends', async () => {
    const owner = new FakeOwner({ concurrentConnections: 5 });
    owner.destination.ready(owner.queue('one.test', 1e6, { campaign: 'urgent', rank: 0 }));
    owner.answerAll();
    owner.destination.ready(owner.queue('one.test', 1e6, { campaign: 'standard' }));
    const order = await campaigns(owner, 1_000);
    for (let at = 0; at + 20 <= order.length; at++)
      assert.ok(order.slice(at, at + 20).includes('standard'), `none from ${at} on`);
    const standard = order.filter((campaign) => campaign === 'standard').length;
    assert.ok(standard <= 120, `${standard} of 1,000 went past priority mail`);
  });

  test('new mail is not claimed past older mail of its queue, nor past a flow that waits for a place', () => {
    const owner = new FakeOwner({ concurrentConnections: 1 });
    const { destination } = owner;
    assert.ok(!destination.claim(owner.queue('old.test', 3)), 'its queue has older mail');
    const [busy, waiting] = [owner.queue('a.test', 0), owner.queue('b.test', 5)];
    assert.ok(destination.claim(busy), 'two places are free');
    owner.active = false;
    destination.ready(waiting);
    owner.active = true;
    assert.ok(!destination.claim(busy), 'the last place is for the flow that waits');
    destination.pump();
    assert.deepEqual(
      owner.asked.map(({ queue }) => queue),
      [waiting],
    );
  });

  test('a flow alone has all places, two have half of them each', () => {
    const owner = new FakeOwner({ concurrentConnections: 10 });
    const alone = owner.queue('a.test', 0, { campaign: 'a' });
    for (let i = 0; i < 20; i++) assert.ok(owner.destination.claim(alone), `place ${i}`);
    for (let i = 0; i < 20; i++) owner.destination.unclaim(alone);
    const [a, b] = [owner.queue('a.test', 100, { campaign: 'x' }), owner.queue('b.test', 100)];
    owner.destination.ready(a, b);
    owner.answerAll();
    assert.deepEqual([a.buffered, b.buffered], [10, 10]);
  });

  test('a queue that one retry woke leaves places to new mail until the store has answered', () => {
    const owner = new FakeOwner({ concurrentConnections: 10 });
    const { destination } = owner;
    destination.ready(owner.queue('retry.test', 1, { campaign: 'a' }));
    assert.equal(owner.asked.length, 1);
    assert.ok(destination.claim(owner.queue('new.test', 0, { campaign: 'a' })));
  });

  test('a queue that has more than it asked for asks for twice as much, one that has not begins anew', () => {
    const owner = new FakeOwner({ concurrentConnections: 100 });
    const queue = owner.queue('a.test', 40);
    const asked: number[] = [];
    owner.destination.ready(queue);
    while (owner.asked.length > 0) {
      asked.push(owner.asked[0]!.limit);
      owner.answer();
    }
    assert.deepEqual(asked, [4, 8, 16, 32]);
    owner.setDue(queue, 1);
    owner.destination.ready(queue);
    assert.equal(owner.asked[0]!.limit, 4);
  });
});
