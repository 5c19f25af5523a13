import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/core/index.ts';
import { createResolver } from '../../src/mta/dns/index.ts';
import { startDnsStub } from '../../src/testbed/dns-stub.ts';

test('an answer cut over UDP is fetched over TCP', async (t) => {
  const big = Array.from({ length: 200 }, (_, i) => `192.0.2.${i + 1}`);
  const stub = await startDnsStub({
    zones: {
      'cut.example': { TXT: ['x'.repeat(600)], behaviour: 'truncate' },
      'big.example': { A: big },
    },
    host: '127.0.53.1',
  });
  t.after(() => stub.close());
  const resolver = createResolver({
    servers: [stub.address],
    timeoutMs: 5_000,
    cacheSize: 10,
    clock: systemClock,
  });
  t.after(() => resolver.close());

  const cut = await resolver.query('cut.example', 'TXT');
  assert.deepEqual(cut.kind === 'records' && cut.records, ['x'.repeat(600)]);
  const answer = await resolver.query('big.example', 'A');
  assert.deepEqual(answer.kind === 'records' && answer.records, big);
  assert.equal(stub.tcpCount(), 2);
  assert.equal(stub.count('A big.example'), 2);
});
