/** The address is lost between two looks at it: the sessions notice first, when they cannot bind it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attempts } from '../../src/mta/egress/attempt.ts';
import type { EgressContext } from '../../src/mta/egress/context.ts';
import { Classifier } from '../../src/bounce/index.ts';
import { type SessionOwner, Sessions } from '../../src/mta/egress/sessions.ts';
import type { LeasedDelivery } from '../../src/queue/index.ts';
import { configured } from '../unit/egress/configured.ts';
import { FakeOwner } from '../unit/egress/fake-owner.ts';
import { leased } from '../unit/egress/leased.ts';
import { receiver } from '../unit/egress/sending-world.ts';

test('nothing is sent from another address, and every delivery goes back without an attempt', async (t) => {
  const sink = await receiver(t);
  const [{ address, port }] = sink.addresses as [(typeof sink.addresses)[0]];
  const config = configured({ nodes: [{ name: 'n1', address: '192.0.2.1', hostname: 'n1.test' }] });
  const owner = new FakeOwner();
  const { destination } = owner;
  destination.plan = { ...destination.plan, hosts: () => [{ name: 'mx.test', addresses: [address], port }] };
  const givenBack: LeasedDelivery[] = [];
  let gone = 0;
  const sessionOwner: SessionOwner = {
    config: config.nodes[0]!,
    active: true,
    places: { crowded: false },
    generation: 0,
    settled: () => assert.fail('an attempt was made'),
    together: () => assert.fail('a session was opened'),
    putBack: () => assert.fail('a session was opened'),
    addressGone: () => void gone++,
    giveBack: (_, deliveries) => void givenBack.push(...deliveries),
  };
  const reports: string[] = [];
  const context = {
    settings: { config, senders: new Map(), classifier: new Classifier() },
    clock: owner.clock,
    report: (level: string, text: string) => void reports.push(`${level} ${text}`),
  } as unknown as EgressContext;
  const attempts = { refuse: () => assert.fail('a refusal was recorded') } as unknown as Attempts;
  const queue = owner.queue('one.test', 0);
  const deliveries = [leased(), leased(), leased()];
  for (const delivery of deliveries) destination.arrived(queue, delivery, false);
  await new Sessions(sessionOwner, context, attempts).run(destination);
  assert.deepEqual(givenBack, deliveries);
  assert.equal(gone, 1, 'the node looks for its address at once');
  assert.match(reports.join(), /^error .*EADDRNOTAVAIL/);
  assert.equal(sink.stats().connections, 0);
  destination.stop();
});
