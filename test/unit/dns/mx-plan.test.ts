import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMxPlanner, type MxPlannerOptions } from '../../../src/mta/dns/index.ts';
import type { Zones } from '../../../src/testbed/dns-zones.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeDns } from '../../support/fake-dns.ts';

const ZONES: Zones = {
  'two.example': {
    MX: [
      [20, 'b.two.example'],
      [10, 'A.two.example'],
    ],
  },
  'a.two.example': { A: ['192.0.2.1'], AAAA: ['2001:db8::1'] },
  'b.two.example': { A: ['192.0.2.2'] },
  'null.example': { MX: [[0, '.']] },
  'null-and-more.example': {
    MX: [
      [0, '.'],
      [10, 'b.two.example'],
    ],
  },
  'implicit.example': { A: ['192.0.2.3'] },
  'implicit6.example': { AAAA: ['2001:db8::3'] },
  'nothing.example': { TXT: ['v=spf1 -all'] },
  'servfail.example': { rcode: 'SERVFAIL' },
  'refused.example': { rcode: 'REFUSED' },
  'silent.example': { behaviour: 'drop' },
  'garbage.example': { behaviour: 'garbage' },
  'missing-host.example': {
    MX: [
      [10, 'gone.two.example'],
      [20, 'b.two.example'],
    ],
  },
  'all-missing.example': { MX: [[10, 'gone.two.example']] },
  'half-unknown.example': {
    MX: [
      [10, 'gone.two.example'],
      [20, 'servfail.example'],
    ],
  },
  'one-unknown.example': {
    MX: [
      [10, 'servfail.example'],
      [20, 'b.two.example'],
    ],
    ttl: 3600,
  },
  'literal.example': { MX: [[10, '192.0.2.9']] },
  'localhost.example': { MX: [[10, 'localhost']] },
  'loopback.example': { MX: [[10, 'lo.example']] },
  'lo.example': { A: ['127.0.0.1', '0.0.0.0'], AAAA: ['::1', '::', '::ffff:127.0.0.2'] },
  'loopback-first.example': {
    MX: [
      [10, 'lo.example'],
      [20, 'b.two.example'],
    ],
  },
  'partly-loopback.example': { MX: [[10, 'partly.example']] },
  'partly.example': { A: ['127.0.0.1', '192.0.2.4'] },
  'implicit-loopback.example': { A: ['127.0.0.1'] },
  'backup-is-self.example': {
    MX: [
      [10, 'b.two.example'],
      [20, 'self.example'],
      [20, 'a.two.example'],
      [30, 'partly.example'],
    ],
  },
  'self.example': { A: ['198.51.100.1'], AAAA: ['2001:0db8:0:0::feed'] },
  'best-is-self.example': {
    MX: [
      [10, 'self.example'],
      [20, 'b.two.example'],
    ],
  },
  'self-and-unknown.example': {
    MX: [
      [10, 'servfail.example'],
      [20, 'self.example'],
    ],
  },
  'cname-host.example': { MX: [[10, 'alias.example']] },
  'alias.example': { CNAME: 'b.two.example' },
  'cname.example': { CNAME: 'two.example' },
  'twice.example': {
    MX: [
      [10, 'b.two.example'],
      [20, 'B.two.example'],
    ],
  },
};

function plannerOf(zones: Zones, options: Partial<MxPlannerOptions> = {}) {
  const clock = createFakeClock();
  const dns = createFakeDns(zones, { clock });
  const selfAddresses = new Set(['198.51.100.1', '2001:db8::feed']);
  const planner = createMxPlanner({ resolver: dns.resolver, clock, selfAddresses, ...options });
  return { planner, clock, dns };
}

/** `ok name=addresses ...` or `permanent|transient enhanced category`. */
async function outcome(domain: string, options: Partial<MxPlannerOptions> = {}): Promise<string> {
  const plan = await plannerOf(ZONES, options).planner.plan(domain);
  if (!plan.ok)
    return `${plan.error.permanent ? 'permanent' : 'transient'} ${plan.error.enhanced} ${plan.error.category}`;
  const hosts = plan.value.hosts.map((host) => `${host.name}=${host.addresses.join('+')}`);
  return [plan.value.implicit ? 'implicit' : 'ok', ...hosts].join(' ');
}

describe('MX plan: what the DNS said -> what follows', () => {
  const table: readonly (readonly [domain: string, expected: string])[] = [
    ['two.example', 'ok a.two.example=192.0.2.1+2001:db8::1 b.two.example=192.0.2.2'],
    ['null.example', 'permanent 5.1.10 bad_domain'],
    ['null-and-more.example', 'ok b.two.example=192.0.2.2'],
    ['does-not-exist.example', 'permanent 5.1.2 bad_domain'],
    ['implicit.example', 'implicit implicit.example=192.0.2.3'],
    ['implicit6.example', 'implicit implicit6.example=2001:db8::3'],
    ['nothing.example', 'permanent 5.4.4 bad_domain'],
    ['servfail.example', 'transient 4.4.3 dns'],
    ['refused.example', 'transient 4.4.3 dns'],
    ['silent.example', 'transient 4.4.3 dns'],
    ['garbage.example', 'transient 4.4.3 dns'],
    ['missing-host.example', 'ok b.two.example=192.0.2.2'],
    ['all-missing.example', 'permanent 5.4.4 bad_domain'],
    ['half-unknown.example', 'transient 4.4.3 dns'],
    ['one-unknown.example', 'ok b.two.example=192.0.2.2'],
    ['literal.example', 'permanent 5.4.4 bad_domain'],
    ['localhost.example', 'permanent 5.4.6 bad_domain'],
    ['loopback.example', 'permanent 5.4.6 bad_domain'],
    ['loopback-first.example', 'ok b.two.example=192.0.2.2'],
    ['partly-loopback.example', 'ok partly.example=192.0.2.4'],
    ['implicit-loopback.example', 'permanent 5.4.6 bad_domain'],
    ['backup-is-self.example', 'ok b.two.example=192.0.2.2'],
    ['best-is-self.example', 'permanent 5.4.6 bad_domain'],
    ['self-and-unknown.example', 'transient 4.4.3 dns'],
    ['cname-host.example', 'ok alias.example=192.0.2.2'],
    ['cname.example', 'ok a.two.example=192.0.2.1+2001:db8::1 b.two.example=192.0.2.2'],
    ['twice.example', 'ok b.two.example=192.0.2.2'],
  ];
  for (const [domain, expected] of table)
    test(domain, async () => {
      assert.equal(await outcome(domain), expected);
    });

  test('loopback is allowed when a demo network asks for it', async () => {
    assert.equal(
      await outcome('implicit-loopback.example', { allowLoopback: true }),
      'implicit implicit-loopback.example=127.0.0.1',
    );
  });
});

describe('MX plan', () => {
  test('a refusal says why, in words', async () => {
    const { planner } = plannerOf(ZONES);
    const texts = await Promise.all(
      ['null.example', 'nope.example', 'loopback.example', 'servfail.example'].map(async (domain) => {
        const plan = await planner.plan(domain);
        return plan.ok ? '' : plan.error.text;
      }),
    );
    assert.deepEqual(texts, [
      'null.example accepts no mail (null MX)',
      'nope.example does not exist (NXDOMAIN)',
      'MX of loopback.example points to this host',
      'MX of servfail.example: SERVFAIL',
    ]);
  });

  test('the key is the sorted host names, also while an address is missing', async () => {
    const { planner } = plannerOf(ZONES);
    const plan = await planner.plan('missing-host.example');
    assert.ok(plan.ok);
    assert.equal(plan.value.key, 'b.two.example,gone.two.example');
  });

  test('the key of long host names is cut, and still another for other hosts', async () => {
    const long = 'x'.repeat(60);
    const names = Array.from({ length: 10 }, (_, i) => `h${i}.${[long, long, long].join('.')}.example`);
    const keyOf = async (last: string): Promise<string> => {
      const hosts = [...names.slice(1), last];
      const { planner } = plannerOf({
        'long.example': { MX: hosts.map((name) => [10, name] as const) },
        ...Object.fromEntries(hosts.map((name) => [name, { A: ['192.0.2.1'] }])),
      });
      const plan = await planner.plan('long.example');
      assert.ok(plan.ok);
      assert.equal(plan.value.hosts.length, 10);
      return plan.value.key;
    };
    const keys = await Promise.all([...names.slice(0, 1), 'z.example', 'z.example'].map(keyOf));
    assert.ok(keys.every((key) => key.length <= 500));
    assert.equal(keys[1], keys[2]);
    assert.notEqual(keys[0], keys[1]);
    assert.ok(keys[1]!.startsWith(`h1.${long}`));
  });

  test('at most ten hosts and sixteen addresses each are used', async () => {
    const numbers = Array.from({ length: 30 }, (_, i) => i + 1);
    const { planner } = plannerOf({
      'many.example': { MX: numbers.map((n) => [n, `h${n}.many.example`] as const) },
      '*.many.example': { A: numbers.map((n) => `192.0.2.${n}`) },
    });
    const plan = await planner.plan('many.example');
    assert.ok(plan.ok);
    assert.equal(plan.value.hosts.length, 10);
    assert.deepEqual(
      plan.value.hosts.map((host) => host.addresses.length),
      Array.from({ length: 10 }, () => 16),
    );
  });

  test('equal preferences are shuffled at each call, preferences stay in order', async () => {
    let seed = 1;
    const random = (): number => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff;
    const { planner } = plannerOf(
      {
        'equal.example': {
          MX: [
            [10, 'a.h.example'],
            [10, 'b.h.example'],
            [10, 'c.h.example'],
            [5, 'z.h.example'],
          ],
        },
        '*.h.example': { A: ['192.0.2.1'] },
      },
      { random },
    );
    const plan = await planner.plan('equal.example');
    assert.ok(plan.ok);
    const orders = Array.from({ length: 200 }, () => plan.value.ordered().map((host) => host.name[0]));
    assert.ok(orders.every((order) => order[0] === 'z' && [...order].sort().join('') === 'abcz'));
    assert.equal(new Set(orders.map((order) => order.join(''))).size, 6);
  });

  test('DNSSEC: the plan is secure by its MX answer, a host by its addresses', async () => {
    const { planner } = plannerOf({
      'signed.example': {
        MX: [
          [10, 'safe.example'],
          [20, 'unsafe.example'],
        ],
        secure: true,
      },
      'safe.example': { A: ['192.0.2.1'], secure: true },
      'unsafe.example': { A: ['192.0.2.2'] },
    });
    const plan = await planner.plan('signed.example');
    assert.ok(plan.ok);
    assert.equal(plan.value.secure, true);
    assert.deepEqual(
      plan.value.hosts.map((host) => host.secure),
      [true, false],
    );
  });
});

describe('MX planner', () => {
  test('peek knows a plan for as long as its shortest TTL', async () => {
    const { planner, clock } = plannerOf({
      'short.example': { MX: [[10, 'h.example']], ttl: 3600 },
      'h.example': { A: ['192.0.2.1'], ttl: 60 },
    });
    assert.equal(planner.peek('short.example'), undefined);
    const plan = await planner.plan('short.example');
    assert.ok(plan.ok);
    assert.equal(plan.value.expiresAtMs, clock.mono() + 60_000);
    assert.equal(planner.peek('short.example'), plan.value);
    clock.advance(60_000);
    assert.equal(planner.peek('short.example'), undefined);
  });

  test('a plan without a host whose lookup failed is made anew within a minute', async () => {
    const { planner, clock } = plannerOf(ZONES);
    const plan = await planner.plan('one-unknown.example');
    assert.ok(plan.ok);
    assert.equal(plan.value.expiresAtMs, clock.mono() + 60_000);
  });

  test('plans of one domain asked for at once are one lookup', async () => {
    const { planner, dns } = plannerOf(ZONES);
    const plans = await Promise.all(Array.from({ length: 20 }, () => planner.plan('two.example')));
    assert.equal(new Set(plans.map((plan) => plan.ok && plan.value)).size, 1);
    assert.equal(dns.resolver.stats().queries, 5); // MX, and A and AAAA of two hosts
  });

  test('the number of plans kept is bounded', async () => {
    const { planner } = plannerOf({ '*.w.example': { A: ['192.0.2.1'] } }, { maxPlans: 3 });
    for (const n of [1, 2, 3, 4, 5]) await planner.plan(`d${n}.w.example`);
    const known = [1, 2, 3, 4, 5].filter((n) => planner.peek(`d${n}.w.example`));
    assert.deepEqual(known, [3, 4, 5]);
  });
});
