import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  FreshTurns,
  type Routed,
  Router,
  type RouteRequest,
  type RoutingError,
} from '../../../src/routing/index.ts';
import { configured, type Settings } from '../egress/configured.ts';

const NODES = ['n1', 'n2', 'n3'].map((name, i) => ({
  name,
  address: `127.0.0.${i + 1}`,
  hostname: `${name}.test`,
}));
const SENDERS = [
  { name: 'promo', nodes: [{ node: 'n1', weight: 2 }, { node: 'n2' }] },
  { name: 'news', nodes: [{ node: 'n3' }] },
];
const share = (sender: string, rest: Settings = {}): Settings => ({ sender, percent: 100, ...rest });
const MAIN = {
  name: 'main',
  rules: [
    {
      when: { group: 'vip', to_domain: ['a.test', 'b.test'] },
      senders: [share('news', { from_name: 'VIP' })],
    },
    { when: { to_domain: 'a.test' }, senders: [share('news', { reply_to: 'r@x.test' })] },
    { when: { isp: 'gmail' }, senders: [share('news', { from_name: 'By ISP' })] },
    { when: { from_email: 'boss@shop.test' }, senders: [share('news', { from_email: 'ceo@shop.test' })] },
    { when: { from_domain: 'other.test' }, senders: [share('news', { from_name: 'Other' })] },
    {
      when: 'default',
      senders: [
        { sender: 'promo', percent: 70 },
        { sender: 'news', percent: 30 },
      ],
    },
  ],
};
const SECOND = { name: 'second', rules: [{ when: 'default', senders: [share('promo')] }] };
const ISPS = [{ name: 'gmail', domains: ['gmail.com'] }];

const routerOf = (settings: Settings, isUp: (node: string) => boolean = () => true): Router =>
  new Router(configured({ nodes: NODES, senders: SENDERS, isps: ISPS, ...settings }), isUp);

const request = (wish: Partial<RouteRequest> = {}): RouteRequest => ({
  sender: undefined,
  virtualSender: undefined,
  allowed: undefined,
  group: undefined,
  fromDomain: 'shop.test',
  fromEmail: 'news@shop.test',
  toDomain: 'to.test',
  ...wish,
});

/** What the splits of a router owe. */
const turnsOf = new WeakMap<Router, FreshTurns>();

function routed(router: Router, wish: Partial<RouteRequest> = {}): Routed {
  const turns = turnsOf.get(router) ?? new FreshTurns();
  turnsOf.set(router, turns);
  const result = router.route(request(wish));
  return result.ok ? result.value(turns) : assert.fail(result.error.text);
}

/** The error, which `check` must give just the same. */
function refused(router: Router, wish: Partial<RouteRequest>): RoutingError {
  const result = router.route(request(wish));
  assert.ok(!result.ok, 'it was routed');
  assert.deepEqual(router.check(request(wish)), result);
  return result.error;
}

describe('rules of a virtual sender', () => {
  const router = routerOf({ virtual_senders: [MAIN] });
  const table: readonly (readonly [string, Partial<RouteRequest>, Routed['override']])[] = [
    ['all conditions hold', { group: 'vip', toDomain: 'b.test' }, { fromName: 'VIP' }],
    ['the first match wins', { group: 'vip', toDomain: 'a.test' }, { fromName: 'VIP' }],
    ['one condition fails', { group: 'mass', toDomain: 'a.test' }, { replyTo: 'r@x.test' }],
    ['the label is missing', { toDomain: 'a.test' }, { replyTo: 'r@x.test' }],
    ['by ISP', { toDomain: 'gmail.com' }, { fromName: 'By ISP' }],
    ['by address, without regard to case', { fromEmail: 'Boss@SHOP.test' }, { fromEmail: 'ceo@shop.test' }],
    ['by From domain', { fromDomain: 'other.test' }, { fromName: 'Other' }],
    ['by To domain, without regard to case', { toDomain: 'A.test' }, { replyTo: 'r@x.test' }],
    ['a subdomain is another domain', { toDomain: 'sub.a.test' }, undefined],
    ['a subdomain in From, too', { fromDomain: 'sub.other.test' }, undefined],
    ['a group alone is not both conditions', { group: 'vip' }, undefined],
    [
      'rules go before it in their order: To domain, then From address',
      { toDomain: 'a.test', fromEmail: 'boss@shop.test' },
      { replyTo: 'r@x.test' },
    ],
    [
      'From address, then From domain',
      { fromEmail: 'boss@shop.test', fromDomain: 'other.test' },
      { fromEmail: 'ceo@shop.test' },
    ],
    ['ISP, then From domain', { toDomain: 'gmail.com', fromDomain: 'other.test' }, { fromName: 'By ISP' }],
    ['none: the default', {}, undefined],
  ];
  for (const [what, wish, override] of table) {
    test(what, () => {
      const found = routed(router, wish);
      assert.deepEqual(found.override, override);
      assert.equal(found.virtualSender, 'main');
      if (override) assert.equal(found.sender.name, 'news');
    });
  }

  test('the default rule splits exactly, whatever other rules do in between', () => {
    const fresh = routerOf({ virtual_senders: [MAIN] });
    const counts = new Map<string, number>();
    for (let i = 0; i < 100; i++) {
      routed(fresh, { toDomain: 'a.test' });
      const { name } = routed(fresh).sender;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    assert.deepEqual(Object.fromEntries(counts), { promo: 70, news: 30 });
  });

  test('a check takes no turn', () => {
    const [asked, plain] = [routerOf({ virtual_senders: [MAIN] }), routerOf({ virtual_senders: [MAIN] })];
    for (let i = 0; i < 20; i++) {
      assert.deepEqual(asked.check(request()), { ok: true, value: { virtualSender: 'main' } });
      assert.equal(routed(asked).sender.name, routed(plain).sender.name);
    }
  });
});

describe('fallback', () => {
  const shares = [
    { sender: 'promo', percent: 70 },
    { sender: 'news', percent: 30 },
  ];
  const virtual = (more: Settings) => [{ name: 'v', rules: [{ when: 'default', senders: shares, ...more }] }];
  const names = (router: Router, count: number, wish: Partial<RouteRequest> = {}): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (let i = 0; i < count; i++) {
      const { name } = routed(router, {
        recipient: `r${i}@gmail.com`,
        toDomain: 'gmail.com',
        ...wish,
      }).sender;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  };
  const locked = (more: Settings, isLocked: (sender: string, isp: string | undefined) => boolean) => {
    const config = configured({
      nodes: NODES,
      senders: SENDERS,
      isps: ISPS,
      virtual_senders: virtual(more),
    });
    return new Router(
      config,
      () => true,
      ({ name }, isp) => isLocked(name, isp),
    );
  };
  const promoAtGmail = (sender: string, isp: string | undefined): boolean =>
    sender === 'promo' && isp === 'gmail';

  test('without it the share of a locked sender waits for it', () =>
    assert.deepEqual(names(locked({}, promoAtGmail), 100), { promo: 70, news: 30 }));

  test('with it the share goes to the others, towards that ISP only, and comes back without catching up', () => {
    let on = true;
    const router = locked({ fallback: true }, (...place) => on && promoAtGmail(...place));
    assert.deepEqual(names(router, 50), { news: 50 });
    assert.deepEqual(names(router, 100, { toDomain: 'to.test' }), { promo: 70, news: 30 });
    on = false;
    assert.deepEqual(names(router, 100), { promo: 70, news: 30 });
  });

  test('sticky: those of the others keep their sender', () => {
    const before = locked({ sticky: true }, () => false);
    const after = locked({ sticky: true, fallback: true }, promoAtGmail);
    const promos = names(before, 200).promo!;
    assert.ok(promos > 100);
    assert.deepEqual(names(after, 200), { news: 200 });
  });

  test('all are locked: as if none were', () =>
    assert.deepEqual(
      names(
        locked({ fallback: true }, () => true),
        100,
      ),
      { promo: 70, news: 30 },
    ));

  test('a sender whose nodes are all down is out too', () => {
    const up = (node: string): boolean => node !== 'n3';
    const router = routerOf({ virtual_senders: virtual({ fallback: true }) }, up);
    assert.deepEqual(names(router, 100), { promo: 100 });
  });
});

describe('names', () => {
  const one = routerOf({ virtual_senders: [MAIN] });
  const two = routerOf({ virtual_senders: [MAIN, SECOND] });
  const none = routerOf({});

  test('a sender by name goes past the virtual senders', () => {
    const found = routed(one, { sender: 'promo' });
    assert.deepEqual(
      [found.sender.name, found.virtualSender, found.override],
      ['promo', undefined, undefined],
    );
    assert.deepEqual(one.check({ ...request(), sender: 'promo' }), {
      ok: true,
      value: { virtualSender: undefined },
    });
  });

  test('without a name: the only virtual sender', () => assert.equal(routed(one).virtualSender, 'main'));

  test('without a name, two virtual senders: which one?', () => {
    const { field, text } = refused(two, {});
    assert.equal(field, 'virtual_sender');
    assert.match(text, /main, second/);
  });

  test('without virtual senders: the only sender, or which one?', () => {
    const single = routerOf({ senders: SENDERS.slice(1) });
    assert.equal(routed(single).sender.name, 'news');
    const { field, text } = refused(none, {});
    assert.equal(field, 'sender');
    assert.match(text, /promo, news/);
  });

  test('an unknown name is an error with the nearest one in it', () => {
    assert.deepEqual(refused(one, { virtualSender: 'mian' }), {
      field: 'virtual_sender',
      text: 'unknown virtual_sender "mian", did you mean "main"?',
    });
    assert.deepEqual(refused(one, { sender: 'new' }), {
      field: 'sender',
      text: 'unknown sender "new", did you mean "news"?',
    });
    assert.match(refused(none, { virtualSender: 'main' }).text, /^unknown virtual_sender "main"$/);
  });

  test('a name as long as a book is cut', () =>
    assert.ok(refused(one, { sender: 'x'.repeat(10_000) }).text.length < 200));

  test('a name of the other kind is unknown', () => {
    assert.equal(refused(one, { sender: 'main' }).field, 'sender');
    assert.equal(refused(one, { virtualSender: 'promo' }).field, 'virtual_sender');
  });
});

describe('allowed names', () => {
  const router = routerOf({ virtual_senders: [MAIN, SECOND] });

  test('a name that is not allowed is refused, known or not', () => {
    assert.match(refused(router, { virtualSender: 'main', allowed: ['second'] }).text, /may not use/);
    assert.match(refused(router, { sender: 'promo', allowed: ['second'] }).text, /may not use/);
    assert.equal(routed(router, { sender: 'promo', allowed: ['promo'] }).sender.name, 'promo');
  });

  test('without a name: the only one that is allowed', () => {
    assert.equal(routed(router, { allowed: ['second'] }).virtualSender, 'second');
    const byCheck = router.check({ ...request(), allowed: ['second'] });
    assert.deepEqual(byCheck, { ok: true, value: { virtualSender: 'second' } });
  });

  test('without a name: a sender, where no virtual sender is allowed', () => {
    const found = routed(router, { allowed: ['news'] });
    assert.deepEqual([found.sender.name, found.virtualSender], ['news', undefined]);
    assert.equal(refused(router, { allowed: ['news', 'promo'] }).field, 'sender');
  });

  test('nothing is allowed', () =>
    assert.match(refused(router, { allowed: [] }).text, /none that you may use/));
});

describe('nodes', () => {
  const nodesOf = (router: Router, count: number): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (let i = 0; i < count; i++) {
      const { node } = routed(router, { sender: 'promo' });
      counts[node] = (counts[node] ?? 0) + 1;
    }
    return counts;
  };

  test('by weight', () => assert.deepEqual(nodesOf(routerOf({}), 30), { n1: 20, n2: 10 }));

  test('one that is down gets nothing, and its share when it is up again', () => {
    const down = new Set(['n1']);
    const router = routerOf({}, (node) => !down.has(node));
    assert.deepEqual(nodesOf(router, 30), { n2: 30 });
    down.clear();
    assert.deepEqual(nodesOf(router, 30), { n1: 20, n2: 10 });
  });

  test('all are down: the mail waits, by weight', () =>
    assert.deepEqual(
      nodesOf(
        routerOf({}, () => false),
        30,
      ),
      { n1: 20, n2: 10 },
    ));
});
