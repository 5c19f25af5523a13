/** A warm-up that hard bounces have paused: its mail waits, over a restart, until an operator resumes the node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { batch, eventually, receiver, routeTo } from '../support/mta-world.ts';

interface Nodes {
  readonly nodes: readonly {
    readonly lanes: readonly { readonly isp: string; readonly waiting?: string | null }[];
  }[];
}

test('node resume lets the waiting mail go', async (t) => {
  const dead = { phase: 'rcpt', action: { code: 550, enhanced: '5.1.1', text: 'no such user' } } as const;
  const sink = await receiver(t, { rules: [{ ...dead, recipient: '*@dead.test' }] });
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    isps: [{ name: 'big', domains: ['dead.test', 'to.test'] }],
    warmup_plans: [{ name: 'careful', stages: [1000], min_attempts: 5, max_hard_bounces: 10, pause: '1d' }],
    nodes: [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test', warmup: 'careful' }],
  });
  const post = (count: number, domain: string): ReturnType<Mta['api']> =>
    mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(count, () => domain) });
  await post(5, 'dead.test');
  await mta.until((events) =>
    ofType(events, 'alert').some(({ reason }) => /warm-up paused/.test(reason ?? '')),
  );
  await post(3, 'to.test');
  assert.equal(await mta.kill('SIGTERM').then((ended) => ended?.code), 0);
  await mta.start();
  const lanes = async (): Promise<string> => {
    const { nodes } = (await mta.api('/v1/nodes')).body as Nodes;
    return nodes.flatMap(({ lanes: all }) => all.map(({ waiting }) => waiting ?? '')).join();
  };
  // The lane is there once its mail has been looked at.
  await eventually(async () => /warm-up paused/.test(await lanes()), 'the lane says that it is paused');
  assert.equal(ofType(await mta.events(), 'delivered').length, 0);
  assert.equal((await mta.api('/v1/nodes/n1/resume', { method: 'POST' })).status, 200);
  const events = await mta.settled(8);
  assert.equal(ofType(events, 'delivered').length, 3);
  assert.ok(ofType(events, 'warmup').some(({ reason }) => reason === 'warm-up resumed by hand'));
  await mta.end();
});
