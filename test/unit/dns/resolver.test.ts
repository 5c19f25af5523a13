import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dnsFailure, type AnyAnswer, type Question } from '../../../src/mta/dns/answer.ts';
import { CachingResolver, createResolver, type CacheLimits } from '../../../src/mta/dns/resolver.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createFakeDns } from '../../support/fake-dns.ts';

function counting(answer: (question: Question) => AnyAnswer, limits: Partial<CacheLimits> = {}) {
  const clock = createFakeClock();
  const asked: string[] = [];
  const lookup = (question: Question): Promise<AnyAnswer> => {
    asked.push(`${question.type} ${question.name}`);
    return Promise.resolve(answer(question));
  };
  return { clock, asked, resolver: new CachingResolver(lookup, { cacheSize: 100, clock, ...limits }) };
}

const records = (ttlMs: number): AnyAnswer => ({
  kind: 'records',
  records: ['192.0.2.1'],
  ttlMs,
  authenticated: false,
});

describe('resolver cache', () => {
  test('an answer is kept for its TTL, and says what is left of it', async () => {
    const clock = createFakeClock();
    const dns = createFakeDns({ 'a.example': { A: ['192.0.2.1'], ttl: 60 } }, { clock });
    assert.deepEqual(await dns.resolver.query('A.example.', 'A'), {
      kind: 'records',
      records: ['192.0.2.1'],
      ttlMs: 60_000,
      authenticated: false,
    });
    clock.advance(59_999);
    const cached = await dns.resolver.query('a.example', 'A');
    assert.equal(cached.kind === 'records' && cached.ttlMs, 1);
    assert.equal(dns.count(), 1);
    clock.advance(1);
    await dns.resolver.query('a.example', 'A');
    assert.equal(dns.count(), 2);
    assert.deepEqual(dns.resolver.stats(), { queries: 3, cacheHits: 1, failures: 0, entries: 1 });
  });

  test('negative answers are kept for the TTL of the SOA (RFC 2308)', async () => {
    const clock = createFakeClock();
    const dns = createFakeDns({ 'a.example': { A: ['192.0.2.1'], ttl: 30 } }, { clock });
    const nodata = await dns.resolver.query('a.example', 'MX');
    assert.deepEqual(nodata, { kind: 'nodata', ttlMs: 30_000, authenticated: false });
    const nxdomain = await dns.resolver.query('b.example', 'MX');
    assert.equal(nxdomain.kind, 'nxdomain');
    clock.advance(29_999);
    await dns.resolver.query('a.example', 'MX');
    assert.equal(dns.count('MX a.example'), 1);
    clock.advance(1);
    await dns.resolver.query('a.example', 'MX');
    assert.equal(dns.count('MX a.example'), 2);
  });

  const bounds: readonly (readonly [given: AnyAnswer, ttlMs: number])[] = [
    [records(0), 5_000],
    [records(10 * 86_400_000), 86_400_000],
    [{ kind: 'nodata', ttlMs: 86_400_000, authenticated: false }, 900_000],
    [{ kind: 'nxdomain', ttlMs: 0, authenticated: false }, 5_000],
  ];
  for (const [given, expected] of bounds)
    test(`the TTL of ${given.kind} is brought to ${expected} ms`, async () => {
      const { resolver, clock, asked } = counting(() => given);
      const answer = await resolver.query('a.example', 'A');
      assert.equal(answer.kind !== 'failure' && answer.ttlMs, expected);
      clock.advance(expected - 1);
      await resolver.query('a.example', 'A');
      assert.equal(asked.length, 1);
      clock.advance(1);
      await resolver.query('a.example', 'A');
      assert.equal(asked.length, 2);
    });

  test('a failure is kept for two seconds', async () => {
    const { resolver, clock, asked } = counting(() => dnsFailure('servfail', 'SERVFAIL', 's'));
    await resolver.query('a.example', 'A');
    clock.advance(1_999);
    assert.equal((await resolver.query('a.example', 'A')).kind, 'failure');
    assert.equal(asked.length, 1);
    clock.advance(1);
    await resolver.query('a.example', 'A');
    assert.equal(asked.length, 2);
    assert.equal(resolver.stats().failures, 2);
  });

  test('the number of entries is bounded, the least recently used leave', async () => {
    const { resolver, asked } = counting(() => records(60_000), { cacheSize: 3 });
    for (const name of ['a.example', 'b.example', 'c.example', 'a.example', 'd.example'])
      await resolver.query(name, 'A');
    assert.equal(resolver.stats().entries, 3);
    asked.length = 0;
    await resolver.query('a.example', 'A');
    assert.deepEqual(asked, []);
    await resolver.query('b.example', 'A');
    assert.deepEqual(asked, ['A b.example']);
  });

  test('a huge answer is given but not kept', async () => {
    const { resolver } = counting(() => ({
      kind: 'records',
      records: ['x'.repeat(10_000)],
      ttlMs: 60_000,
      authenticated: false,
    }));
    assert.equal((await resolver.query('a.example', 'TXT')).kind, 'records');
    assert.equal(resolver.stats().entries, 0);
  });
});

describe('resolver flights', () => {
  /** A lookup that ends when the test says so. */
  function held() {
    const { promise, resolve } = Promise.withResolvers<AnyAnswer>();
    let asked = 0;
    const lookup = (): Promise<AnyAnswer> => {
      asked++;
      return promise;
    };
    const resolver = new CachingResolver(lookup, { cacheSize: 10, clock: createFakeClock() });
    return { resolver, release: () => resolve(records(60_000)), asked: () => asked };
  }

  test('the same question under way is asked once; another type is another question', async () => {
    const { resolver, release, asked } = held();
    const same = Array.from({ length: 50 }, () => resolver.query('a.example', 'A'));
    const other = resolver.query('a.example', 'AAAA');
    release();
    await Promise.all([...same, other]);
    assert.equal(asked(), 2);
  });

  test('an aborted caller leaves at once, the others get the answer', async () => {
    const { resolver, release } = held();
    const controller = new AbortController();
    const leaving = resolver.query('a.example', 'A', { signal: controller.signal });
    const staying = resolver.query('a.example', 'A', { signal: new AbortController().signal });
    controller.abort();
    assert.equal((await leaving).kind, 'failure');
    release();
    assert.equal((await staying).kind, 'records');
  });

  test('an already aborted signal gives a failure', async () => {
    const { resolver } = held();
    const answer = await resolver.query('a.example', 'A', { signal: AbortSignal.abort() });
    assert.equal(answer.kind, 'failure');
  });

  test('after close a question is a failure, what is cached stays', async () => {
    const { resolver } = counting(() => records(60_000));
    await resolver.query('a.example', 'A');
    resolver.close();
    assert.equal((await resolver.query('a.example', 'A')).kind, 'records');
    assert.equal((await resolver.query('b.example', 'A')).kind, 'failure');
  });
});

test('a resolver needs servers that are addresses', () => {
  const limits = { cacheSize: 1, clock: createFakeClock(), timeoutMs: 1 };
  assert.throws(() => createResolver({ ...limits, servers: [] }), /at least one/);
  assert.throws(() => createResolver({ ...limits, servers: ['dns.example'] }), /dns\.example/);
});
