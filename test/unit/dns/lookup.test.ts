import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dnsFailure } from '../../../src/mta/dns/answer.ts';
import type { Exchange } from '../../../src/mta/dns/exchange.ts';
import { createLookup, type LookupOptions } from '../../../src/mta/dns/lookup.ts';
import { formatServer, parseServer } from '../../../src/mta/dns/servers.ts';
import type { Reading } from '../../../src/mta/dns/wire.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const RECORDS: Reading = { kind: 'records', records: ['192.0.2.1'], ttlMs: 60_000, authenticated: true };
const ONE = '192.0.2.53:53';
const TWO = '192.0.2.54:53';

type Script = Readonly<Record<string, (name: string) => Reading | 'silence'>>;

/** A lookup over scripted servers; silence costs the whole share of a try. */
function scripted(script: Script, options: Partial<LookupOptions> = {}) {
  const clock = createFakeClock();
  const tries: string[] = [];
  const udp: Exchange = (server, query, { timeoutMs }) => {
    const name = formatServer(server);
    tries.push(name);
    const reading = script[name]?.(query.question.name) ?? 'silence';
    if (reading !== 'silence') return Promise.resolve(reading);
    clock.advance(timeoutMs);
    return Promise.resolve(dnsFailure('timeout', 'silent', name));
  };
  const lookup = createLookup({
    servers: Object.keys(script).map((text) => parseServer(text)!),
    timeoutMs: 4_000,
    attempts: 2,
    clock,
    maxOutstanding: 10,
    maxWaiting: 10,
    signal: new AbortController().signal,
    udp,
    tcp: () => Promise.resolve(RECORDS),
    ...options,
  });
  return { lookup, tries, clock, ask: () => lookup({ name: 'a.example', type: 'A' }) };
}

describe('lookup over servers', () => {
  test('a silent server is followed by the next one, and asked last for a while', async () => {
    const { ask, tries, clock } = scripted({ [ONE]: () => 'silence', [TWO]: () => RECORDS });
    assert.equal((await ask()).kind, 'records');
    assert.deepEqual(tries.splice(0), [ONE, TWO]);
    await ask();
    assert.deepEqual(tries.splice(0), [TWO]);
    clock.advance(10_000);
    await ask();
    assert.deepEqual(tries, [ONE, TWO]);
  });

  test('SERVFAIL goes on to the next server and does not come back', async () => {
    const { ask, tries } = scripted({
      [ONE]: () => dnsFailure('servfail', 'SERVFAIL', ONE),
      [TWO]: () => 'silence',
    });
    const answer = await ask();
    assert.equal(answer.kind === 'failure' && answer.reason, 'timeout');
    assert.deepEqual(tries, [ONE, TWO, TWO]);
  });

  test('all tries share one deadline', async () => {
    const { ask, tries, clock } = scripted({ [ONE]: () => 'silence', [TWO]: () => 'silence' });
    const startedAt = clock.mono();
    const answer = await ask();
    assert.equal(answer.kind === 'failure' && answer.server, TWO);
    assert.equal(clock.mono() - startedAt, 4_000);
    assert.deepEqual(tries, [ONE, TWO, ONE, TWO]);
  });

  test('a truncated answer is fetched over TCP from the same server', async () => {
    const asked: string[] = [];
    const tcp: Exchange = (server) => {
      asked.push(formatServer(server));
      return Promise.resolve(RECORDS);
    };
    const { ask } = scripted({ [ONE]: () => ({ kind: 'truncated' }) }, { tcp });
    assert.equal((await ask()).kind, 'records');
    assert.deepEqual(asked, [ONE]);
  });

  test('a CNAME that comes alone is followed by a question for its target', async () => {
    const { ask, tries } = scripted({
      [ONE]: (name) =>
        name === 'a.example'
          ? { kind: 'alias', target: 'b.example', ttlMs: 7_000, authenticated: false }
          : RECORDS,
    });
    assert.deepEqual(await ask(), { ...RECORDS, ttlMs: 7_000, authenticated: false });
    assert.equal(tries.length, 2);
  });

  test('CNAMEs that never end are a failure', async () => {
    const { ask, tries } = scripted({
      [ONE]: (name) => ({ kind: 'alias', target: `x${name}`, ttlMs: 1, authenticated: false }),
    });
    const answer = await ask();
    assert.equal(answer.kind === 'failure' && answer.reason, 'malformed');
    assert.equal(tries.length, 5);
  });

  for (const name of ['', 'a..example', `${'x'.repeat(64)}.example`, 'ü.example', `${'a.'.repeat(130)}b`])
    test(`no question is asked for ${JSON.stringify(name.slice(0, 20))}`, async () => {
      const { lookup, tries } = scripted({ [ONE]: () => RECORDS });
      assert.equal((await lookup({ name, type: 'A' })).kind, 'nxdomain');
      assert.deepEqual(tries, []);
    });

  test('questions beyond the limits wait, then are turned away', async () => {
    const { promise, resolve } = Promise.withResolvers<Reading>();
    let running = 0;
    let most = 0;
    const udp: Exchange = async () => {
      most = Math.max(most, ++running);
      await promise;
      running--;
      return RECORDS;
    };
    const { lookup } = scripted({ [ONE]: () => RECORDS }, { udp, maxOutstanding: 2, maxWaiting: 3 });
    const asked = Array.from({ length: 7 }, (_, i) => lookup({ name: `n${i}.example`, type: 'A' }));
    resolve(RECORDS);
    const kinds = (await Promise.all(asked)).map((answer) => answer.kind);
    assert.deepEqual(kinds, ['records', 'records', 'records', 'records', 'records', 'failure', 'failure']);
    assert.equal(most, 2);
  });
});
