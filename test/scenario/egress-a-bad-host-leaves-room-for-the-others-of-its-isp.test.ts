/** Several sets of hosts of one ISP share its sessions: one that hangs, or that has more mail, keeps nobody waiting. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mta, ofType, type Settings } from '../support/mta.ts';
import { batch, eventually, gate, receiver, routeTo } from '../support/mta-world.ts';

const ISP: Settings = {
  isps: [{ name: 'big', domains: ['one.test', 'two.test'] }],
  strategies: [{ name: 'four', concurrent_connections: 4, messages_per_connection: 1000 }],
  senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'four' } }],
};

const post = (mta: Mta, count: number, domain: string): ReturnType<Mta['api']> =>
  mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(count, () => domain) });

const deliveredTo = (mta: Mta, domain: string, count: number): Promise<unknown> =>
  mta.until(
    (events) =>
      ofType(events, 'delivered').filter(({ recipient }) => recipient?.endsWith(domain)).length === count,
  );

test('hosts that do not greet have one session, and the others of the ISP the rest', async (t) => {
  const [mute, good] = [
    await receiver(t, { rules: [{ phase: 'greeting', action: 'hang' }] }),
    await receiver(t),
  ];
  const mta = await Mta.start(t, { ...ISP, routes: [routeTo(mute, 'one.test'), routeTo(good, 'two.test')] });
  await post(mta, 50, 'one.test');
  await eventually(() => mute.stats().sessionsOpen === 1, 'it is tried');
  await post(mta, 200, 'two.test');
  await deliveredTo(mta, 'two.test', 200);
  assert.deepEqual([mute.stats().sessionsOpen, mute.stats().sessionsMax], [1, 1]);
  await mta.kill('SIGKILL');
});

test('hosts that hang in the middle of a message leave a place free', async (t) => {
  const stuck = await gate(t);
  const good = await receiver(t);
  const mta = await Mta.start(t, { ...ISP, routes: [routeTo(stuck, 'one.test'), routeTo(good, 'two.test')] });
  // Both are known, then one of them stops answering.
  await post(mta, 1, 'two.test');
  await deliveredTo(mta, 'two.test', 1);
  await post(mta, 50, 'one.test');
  await eventually(() => stuck.held.size === 3, 'it has three of four sessions');
  await post(mta, 40, 'two.test');
  await deliveredTo(mta, 'two.test', 41);
  assert.equal(stuck.held.size, 3);
  stuck.open();
  await mta.settled(91);
  await mta.end();
});

/** So few that none can be kept free: silence is given up sooner, and the next try comes later. */
for (const sessions of [1, 2, 3]) {
  const few: Settings = {
    ...ISP,
    strategies: [{ name: 'four', concurrent_connections: sessions, messages_per_connection: 1000 }],
    retry_rules: [{ name: 'default', attempts: 50, type: 'fixed', interval: '100ms' }],
  };

  test(`${sessions} of them: hosts that do not greet hold one for a short time, again and again`, async (t) => {
    const mute = await receiver(t, { rules: [{ phase: 'greeting', action: 'hang' }] });
    const good = await receiver(t);
    const mta = await Mta.start(t, {
      ...few,
      egress: { timeouts: { shared: '200ms' } },
      routes: [routeTo(mute, 'one.test'), routeTo(good, 'two.test')],
    });
    // Both are known; then the one that is mute has mail first.
    await post(mta, 1, 'two.test');
    await deliveredTo(mta, 'two.test', 1);
    await post(mta, 50, 'one.test');
    assert.ok(await mute.until(({ connections }) => connections > 0));
    await post(mta, 200, 'two.test');
    await deliveredTo(mta, 'two.test', 201);
    assert.ok(await mute.until(({ connections }) => connections > 1), 'it is tried again');
    await mta.kill('SIGKILL');
  });

  test(`${sessions} of them: hosts that never answer a message hold all for that time, and then rest as long`, async (t) => {
    const stuck = await gate(t);
    const good = await receiver(t);
    const mta = await Mta.start(t, {
      ...few,
      egress: { timeouts: { mail: '1s', data_done: '1s' } },
      routes: [routeTo(stuck, 'one.test'), routeTo(good, 'two.test')],
    });
    await post(mta, 1, 'two.test');
    await deliveredTo(mta, 'two.test', 1);
    await post(mta, 50, 'one.test');
    await eventually(() => stuck.held.size > 0, 'it hangs');
    await post(mta, 200, 'two.test');
    await deliveredTo(mta, 'two.test', 201);
    await mta.kill('SIGKILL');
  });
}

test('hosts with much mail give way to others of the ISP that wait', async (t) => {
  const [many, few] = [await gate(t), await receiver(t)];
  const mta = await Mta.start(t, { ...ISP, routes: [routeTo(many, 'one.test'), routeTo(few, 'two.test')] });
  await post(mta, 1000, 'one.test');
  await eventually(() => many.held.size === 4, 'one has all sessions');
  await post(mta, 20, 'two.test');
  many.open();
  await mta.settled(1020);
  const order = ofType(await mta.end(), 'delivered').map(({ recipient }) => recipient!.endsWith('two.test'));
  const before = order.slice(0, order.lastIndexOf(true)).filter((ofFew) => !ofFew).length;
  assert.ok(before < 500, `${before} of 1000 went before the last of 20`);
  assert.ok(few.stats().sessionsMax <= 4);
});
