import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/core/index.ts';
import { createMxPlanner, createResolver } from '../../src/mta/dns/index.ts';
import { startDnsStub } from '../../src/testbed/dns-stub.ts';

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((resource) => /UDP|TCPSocket/.test(resource)).length;

/** A socket is closed a turn of the event loop after it was told to. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test(
  'closing the resolver ends outstanding questions and leaves no socket',
  { timeout: 20_000 },
  async (t) => {
    const stub = await startDnsStub({ zones: { '*.example': { behaviour: 'drop' } }, host: '127.0.53.12' });
    t.after(() => stub.close());
    const before = sockets();
    const resolver = createResolver({
      servers: [stub.address],
      timeoutMs: 60_000,
      cacheSize: 10,
      clock: systemClock,
      maxOutstanding: 5,
    });
    const asked = Array.from({ length: 20 }, (_, i) => resolver.query(`n${i}.example`, 'A'));
    await until(() => sockets() === before + 5);
    resolver.close();
    const reasons = (await Promise.all(asked)).map((answer) => answer.kind === 'failure' && answer.reason);
    assert.deepEqual([...new Set(reasons)], ['network']);
    await until(() => sockets() === before);
  },
);

test('a plan over sockets: MX, addresses of both families, the wildcard and the AD bit', async (t) => {
  const stub = await startDnsStub({
    zones: {
      'a.example': { MX: [[10, 'mx.a.example']], secure: true },
      '*.a.example': { A: ['127.0.0.9'], AAAA: ['2001:db8::9'], secure: true },
    },
    host: '127.0.53.13',
  });
  t.after(() => stub.close());
  const resolver = createResolver({
    servers: [stub.address],
    timeoutMs: 5_000,
    cacheSize: 10,
    clock: systemClock,
  });
  t.after(() => resolver.close());
  const planner = createMxPlanner({
    resolver,
    clock: systemClock,
    selfAddresses: new Set(),
    allowLoopback: true,
  });
  const plan = await planner.plan('a.example');
  assert.ok(plan.ok);
  assert.deepEqual(plan.value.hosts, [
    { name: 'mx.a.example', preference: 10, addresses: ['127.0.0.9', '2001:db8::9'], secure: true },
  ]);
  assert.equal(plan.value.secure, true);
});
