import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import packet from 'dns-packet';
import { systemClock } from '../../src/core/index.ts';
import { createResolver } from '../../src/mta/dns/index.ts';
import { startDnsStub } from '../../src/testbed/dns-stub.ts';

test('answers with a wrong id or a wrong question are ignored, the right one counts', async (t) => {
  const stub = await startDnsStub({
    zones: { 'a.example': { A: ['192.0.2.1'], behaviour: 'spoof' } },
    host: '127.0.53.9',
  });
  t.after(() => stub.close());
  const resolver = createResolver({
    servers: [stub.address],
    timeoutMs: 5_000,
    cacheSize: 10,
    clock: systemClock,
  });
  t.after(() => resolver.close());
  const answer = await resolver.query('a.example', 'A');
  assert.deepEqual(answer.kind === 'records' && answer.records, ['192.0.2.1']);
  assert.equal(stub.count(), 1);
});

test('an answer from another address is ignored; ids and source ports differ from question to question', async (t) => {
  const server = createSocket('udp4').bind(0, '127.0.53.10');
  const forger = createSocket('udp4').bind(0, '127.0.53.11');
  await Promise.all([once(server, 'listening'), once(forger, 'listening')]);
  t.after(() => {
    server.close();
    forger.close();
  });
  const ids = new Set<number>();
  const ports = new Set<number>();
  const replyTo = (message: Buffer, address: string): Buffer => {
    const query = packet.decode(message);
    const name = query.questions?.[0]?.name ?? '';
    return packet.encode({
      type: 'response',
      id: query.id ?? 0,
      questions: [{ name, type: 'A' }],
      answers: [{ name, type: 'A', ttl: 60, data: address }],
    });
  };
  server.on('message', (message: Buffer, peer: RemoteInfo) => {
    ids.add(message.readUInt16BE(0));
    ports.add(peer.port);
    // The forged answer is on its way before the right one is written.
    forger.send(replyTo(message, '203.0.113.66'), peer.port, peer.address, () =>
      server.send(replyTo(message, '192.0.2.1'), peer.port, peer.address),
    );
  });
  const resolver = createResolver({
    servers: [`127.0.53.10:${server.address().port}`],
    timeoutMs: 5_000,
    cacheSize: 100,
    clock: systemClock,
  });
  t.after(() => resolver.close());
  const names = Array.from({ length: 40 }, (_, i) => `n${i}.example`);
  const answers = await Promise.all(names.map((name) => resolver.query(name, 'A')));
  for (const answer of answers) assert.deepEqual(answer.kind === 'records' && answer.records, ['192.0.2.1']);
  assert.ok(ids.size > 30, `${ids.size} ids`);
  assert.ok(ports.size > 30, `${ports.size} ports`);
});
