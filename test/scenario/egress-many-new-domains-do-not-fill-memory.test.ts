/** What is kept of a domain to which nothing goes any more: until the next minute, or until many others have come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWorld, receiver, routeTo } from '../unit/egress/sending-world.ts';

const MANY = 5_000;
const LOOK_MS = 5_000;
const HOUR = 3_600_000;

test('queues that hold nothing leave memory as soon as many have come, not only each minute', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const sink = await receiver(t);
  const world = await openWorld(t, { settings: { routes: [routeTo(sink)] } });
  const { schedule } = world.queue.state;
  const looked = async (): Promise<number> => {
    t.mock.timers.tick(LOOK_MS);
    await world.queue.state.committer.drained();
    return schedule.size;
  };
  await world.send(['a@one.test', 'b@two.test']);
  await world.ended(2);
  assert.equal(await looked(), 2, 'few are kept: mail to them may come again');
  const later = Array.from({ length: MANY }, (_, i) => `a@d${i}.test`);
  await world.send(later, { wakeAt: Date.now() + HOUR });
  assert.equal(await looked(), MANY, 'those with mail stay');
  await world.send(['a@one.test', 'b@two.test']);
  await world.ended(4);
  assert.equal(await looked(), MANY + 2, 'not worth looking through thousands for two');
});
