import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWorld, receiver } from '../unit/egress/sending-world.ts';

test('mail of a sender that is not configured any more waits, and one line says so', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, { sink, faults: true });
  await world.send(['a@to.test', 'b@to.test', 'c@to.test'], { sender: 'gone' });
  await world.send('d@to.test');
  await world.ended(1);
  await world.reported(/waits for a sender that is not configured/);
  // The last of the three was given back, so each of them has met the report.
  const waits = (): number => [...world.queue.state.schedule.heads()].length;
  while (waits() === 0 || world.queue.state.leases.size > 0) await new Promise((done) => setImmediate(done));
  const reports = await world.reported(/waits for a sender/);
  assert.deepEqual(
    reports.map(({ details }) => details),
    [{ sender: 'gone' }],
  );
  assert.equal(sink.stats().messages, 1);
  assert.deepEqual(world.story('a@to.test'), []);
});
