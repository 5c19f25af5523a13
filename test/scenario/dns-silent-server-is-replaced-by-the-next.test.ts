import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { systemClock } from '../../src/core/index.ts';
import { createResolver } from '../../src/mta/dns/index.ts';
import { startDnsStub } from '../../src/testbed/dns-stub.ts';

const ZONE = { 'a.example': { A: ['192.0.2.1'] } };

async function freePort(host: string): Promise<number> {
  const socket = createSocket('udp4').bind(0, host);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

test('a server that is silent, one that is not there and one that fails are followed by the next', async (t) => {
  const silent = await startDnsStub({ zones: { 'a.example': { behaviour: 'drop' } }, host: '127.0.53.2' });
  const broken = await startDnsStub({ zones: { 'a.example': { rcode: 'SERVFAIL' } }, host: '127.0.53.3' });
  const garbage = await startDnsStub({
    zones: { 'a.example': { behaviour: 'garbage' } },
    host: '127.0.53.4',
  });
  const good = await startDnsStub({ zones: ZONE, host: '127.0.53.5' });
  for (const stub of [silent, broken, garbage, good]) t.after(() => stub.close());
  const absent = `127.0.53.6:${await freePort('127.0.53.6')}`;
  const resolver = createResolver({
    servers: [silent.address, absent, broken.address, garbage.address, good.address],
    timeoutMs: 2_000,
    cacheSize: 10,
    clock: systemClock,
  });
  t.after(() => resolver.close());

  const answer = await resolver.query('a.example', 'A');
  assert.deepEqual(answer.kind === 'records' && answer.records, ['192.0.2.1']);
  assert.deepEqual(
    [silent, broken, garbage, good].map((stub) => stub.count()),
    [1, 1, 1, 1],
  );
});

test('each kind of failure is named when no server is left', async (t) => {
  const stub = await startDnsStub({
    zones: {
      'silent.example': { behaviour: 'drop' },
      'slow.example': { A: ['192.0.2.1'], behaviour: 'slow' },
      'servfail.example': { rcode: 'SERVFAIL' },
      'refused.example': { rcode: 'REFUSED' },
      'garbage.example': { behaviour: 'garbage' },
    },
    host: '127.0.53.7',
    slowMs: 60_000,
  });
  t.after(() => stub.close());
  const options = { timeoutMs: 1_000, cacheSize: 10, clock: systemClock };
  const resolver = createResolver({ ...options, servers: [stub.address] });
  const absent = createResolver({ ...options, servers: [`127.0.53.8:${await freePort('127.0.53.8')}`] });
  t.after(() => resolver.close());

  const reasons: Record<string, string> = {};
  for (const name of ['silent', 'slow', 'servfail', 'refused', 'garbage']) {
    const answer = await resolver.query(`${name}.example`, 'A');
    reasons[name] = answer.kind === 'failure' ? answer.reason : answer.kind;
    assert.equal(answer.kind === 'failure' && answer.server, stub.address);
  }
  const answer = await absent.query('a.example', 'A');
  reasons['absent'] = answer.kind === 'failure' ? answer.reason : answer.kind;
  assert.deepEqual(reasons, {
    silent: 'timeout',
    slow: 'timeout',
    servfail: 'servfail',
    refused: 'refused',
    garbage: 'malformed',
    absent: 'network',
  });
});
