import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryObjects } from 'node:v8';
import { Destination } from '../../src/mta/egress/destination.ts';
import { eventually } from '../support/mta-world.ts';
import { openWorld, receiver, TWO_NODES } from '../unit/egress/sending-world.ts';

/** Of this process, after a collection. */
const destinations = (): number => queryObjects(Destination, { format: 'count' });

test('nothing of a node that was removed stays in memory', async (t) => {
  const sink = await receiver(t);
  const egress = { timeouts: { idle: '10s' } };
  const world = await openWorld(t, { sink, settings: { ...TWO_NODES, egress } });
  for (const node of ['n1', 'n2']) await world.send(`a@${node}.test`, { node });
  await world.ended(2);
  assert.equal(destinations(), 2);
  const one = { nodes: [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test' }] };
  const sender = { name: 'promo', nodes: [{ node: 'n1' }], retry: 'quick', strategies: { default: 'free' } };
  await world.configure({ ...one, senders: [sender] });
  await eventually(() => destinations() === 1, 'the other one is forgotten', 10_000);
});
