import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMxPlanner } from '../../../src/mta/dns/index.ts';
import { RoutePlanner } from '../../../src/mta/egress/index.ts';
import type { RoutePlan } from '../../../src/mta/egress/plan.ts';
import type { Zones } from '../../../src/testbed/index.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createFakeDns, type FakeDns } from '../../support/fake-dns.ts';
import { configured, type Settings } from './configured.ts';

const ZONES: Zones = {
  'mx.test': {
    MX: [
      [20, 'b.mx.test'],
      [10, 'a.mx.test'],
    ],
    ttl: 60,
  },
  'other.test': {
    MX: [
      [10, 'a.mx.test'],
      [20, 'b.mx.test'],
    ],
  },
  'a.mx.test': { A: ['192.0.2.1'], AAAA: ['2001:db8::1'] },
  'b.mx.test': { A: ['192.0.2.2'] },
  'relay.test': { A: ['192.0.2.8'], ttl: 30 },
  'gone.test': { MX: [[0, '.']] },
  'slow.test': { behaviour: 'drop' },
};

interface Rig {
  readonly planner: RoutePlanner;
  readonly clock: FakeClock;
  readonly dns: FakeDns;
}

function rigOf(routes: readonly Settings[] = []): Rig {
  const clock = createFakeClock();
  const dns = createFakeDns(ZONES, { clock });
  const { resolver } = dns;
  const mx = createMxPlanner({ resolver, clock, selfAddresses: new Set() });
  const { routes: read } = configured({ routes });
  return { planner: new RoutePlanner({ mx, resolver, clock, routes: read, port: 2525 }), clock, dns };
}

async function planOf({ planner }: Rig, domain: string): Promise<RoutePlan> {
  const plan = await planner.resolve(domain);
  return plan.ok ? plan.value : assert.fail(plan.error.text);
}

const hostsOf = (plan: RoutePlan): string[] =>
  plan.hosts().map(({ name, addresses, port }) => `${name} ${addresses.join(' ')} ${port}`);

describe('by MX', () => {
  test('hosts by preference, with their addresses and the port of MX delivery', async () => {
    const plan = await planOf(rigOf(), 'mx.test');
    assert.deepEqual(hostsOf(plan), ['a.mx.test 192.0.2.1 2001:db8::1 2525', 'b.mx.test 192.0.2.2 2525']);
    assert.equal(plan.tls, null);
  });

  test('domains with the same hosts have the same key', async () => {
    const rig = rigOf();
    assert.equal((await planOf(rig, 'mx.test')).key, (await planOf(rig, 'other.test')).key);
  });

  test('peek knows nothing before, and nothing when the time to live is over', async () => {
    const rig = rigOf();
    assert.equal(rig.planner.peek('mx.test'), undefined);
    const { expiresAtMs } = await planOf(rig, 'mx.test');
    assert.equal(expiresAtMs, rig.clock.mono() + 60_000);
    assert.equal(rig.planner.peek('mx.test')?.expiresAtMs, expiresAtMs);
    rig.clock.advance(60_000);
    assert.equal(rig.planner.peek('mx.test'), undefined);
  });

  const refusals = [
    ['nowhere.test', true, '5.1.2'],
    ['gone.test', true, '5.1.10'],
    ['slow.test', false, '4.4.3'],
  ] as const;
  for (const [domain, permanent, enhanced] of refusals) {
    test(`${domain}: ${permanent ? 'for good' : 'for now'}, ${enhanced}`, async () => {
      const plan = await rigOf().planner.resolve(domain);
      assert.ok(!plan.ok);
      const { scope, cause, phase, reply } = plan.error;
      assert.deepEqual([scope, cause, phase, plan.error.permanent], ['host', 'dns', 'connect', permanent]);
      assert.deepEqual([reply?.code, reply?.enhanced], [permanent ? 550 : 450, enhanced]);
    });
  }
});

describe('by route', () => {
  const ROUTES = [
    { domain: 'mx.test', hosts: ['127.0.0.1:26'], tls: 'none' },
    { domain: '*.test', hosts: ['relay.test:27', '[::1]:28', 'missing.test:29'] },
    { domain: '*', hosts: ['127.0.0.9'] },
  ];

  test('the first match wins; a suffix does not cover the name itself', async () => {
    const rig = rigOf(ROUTES);
    assert.deepEqual(hostsOf(await planOf(rig, 'mx.test')), ['127.0.0.1 127.0.0.1 26']);
    assert.deepEqual(hostsOf(await planOf(rig, 'x.test')), ['relay.test 192.0.2.8 27', '::1 ::1 28']);
    assert.deepEqual(hostsOf(await planOf(rig, 'test')), ['127.0.0.9 127.0.0.9 25']);
    assert.deepEqual(hostsOf(await planOf(rig, 'nowhere.example')), ['127.0.0.9 127.0.0.9 25']);
    assert.equal(rig.dns.count('MX mx.test'), 0, 'no MX is asked for');
  });

  test('TLS as the route says, else open', async () => {
    const rig = rigOf(ROUTES);
    assert.equal((await planOf(rig, 'mx.test')).tls, 'none');
    assert.equal((await planOf(rig, 'x.test')).tls, null);
  });

  test('hosts by address never expire, hosts by name as the DNS says', async () => {
    const rig = rigOf(ROUTES);
    assert.equal((await planOf(rig, 'mx.test')).expiresAtMs, Infinity);
    const { expiresAtMs } = await planOf(rig, 'x.test');
    assert.ok(expiresAtMs > rig.clock.mono() && expiresAtMs <= rig.clock.mono() + 30_000);
    assert.ok(rig.planner.peek('y.test'), 'one look-up for all domains of the route');
    rig.clock.advance(30_000);
    assert.equal(rig.planner.peek('x.test'), undefined);
    assert.equal((await planOf(rig, 'x.test')).expiresAtMs > rig.clock.mono(), true);
  });

  test('no host has an address: for now', async () => {
    const plan = await rigOf([{ domain: '*', hosts: ['missing.test', 'slow.test:26'] }]).planner.resolve(
      'x.test',
    );
    assert.ok(!plan.ok);
    assert.deepEqual([plan.error.permanent, plan.error.reply?.enhanced], [false, '4.4.3']);
    assert.match(plan.error.text, /missing\.test, slow\.test/);
  });
});
