/** A look-up that reads all there is to read: what begins behind it ends before it, by the order of events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leaseFrom } from '../support/queues.ts';
import { type Fixture, MESSAGE, startControl } from '../unit/api/control-fixture.ts';

/** As many records as one page reads at most. */
const QUEUED = 20_000;

async function fill({ queue, clock }: Fixture): Promise<void> {
  const now = clock.now();
  const facts = { sender: 'main', node: 'n1', wakeAt: now, expiresAt: now + 86_400_000, attempts: [] };
  const message = {
    from: 'news@a.test',
    fromAddress: 'news@a.test',
    fromDomain: 'a.test',
    kind: 'raw',
    bytes: 1,
    eightBit: false,
    smtpUtf8: false,
    dotLine: false,
    createdAt: now,
    band: 'standard',
  } as const;
  const deliveries = Array.from({ length: QUEUED }, (_, i) => ({
    index: i + 1,
    record: { ...facts, recipient: `u${i}@one.test` },
  }));
  await queue.accept({ number: queue.nextNumber(), message, content: Buffer.from('x'), deliveries });
}

test('calls, new mail and outcomes have their turns between the slices of GET /v1/deliveries', async (t) => {
  const control = await startControl(t);
  await fill(control);
  const { queue } = control;
  const [leased] = await leaseFrom(queue, { node: 'n1', domain: 'one.test', limit: 1 });
  const ended: string[] = [];
  const ends = async (name: string, work: Promise<unknown>): Promise<void> => {
    await work;
    ended.push(name);
  };

  const reply = { code: 250, text: 'ok', phase: 'data' } as const;

  const begun = Promise.withResolvers<void>();
  const range = queue.state.kv.range.bind(queue.state.kv);
  t.mock.method(queue.state.kv, 'range', (...args: Parameters<typeof range>) => {
    begun.resolve();
    return range(...args);
  });
  const lookUp = ends('look-up', control.get('/v1/deliveries?state=hard_bounce'));
  await begun.promise;
  await Promise.all([
    lookUp,
    ends('health', control.get('/healthz')),
    ends('message', control.post('/v1/messages', MESSAGE)),
    ends(
      'outcome',
      queue.record(leased!, { kind: 'delivered', facts: { time: control.clock.now(), reply } }),
    ),
  ]);
  assert.equal(ended.at(-1), 'look-up', ended.join(', '));
});
