import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createSmtpServer, type SmtpServer } from '../../src/mta/smtp/server/index.ts';

const server = (tls?: { cert: string; key: string; required: boolean }): SmtpServer =>
  createSmtpServer({ hostname: 'mx.test', handler: { onMessage: () => undefined }, ...(tls && { tls }) });

test('the port is taken', async () => {
  const first = server();
  const bound = await first.listen({ host: '127.0.0.1', port: 0 });
  assert.ok(bound.ok);
  assert.equal(bound.value.address, '127.0.0.1');
  const second = await server().listen({ host: '127.0.0.1', port: bound.value.port });
  assert.ok(!second.ok);
  assert.match(second.error, /^Cannot listen on 127\.0\.0\.1:\d+: another process .*EADDRINUSE/);
  await first.close();
});

test('the address is not on this machine', async () => {
  const result = await server().listen({ host: '192.0.2.1', port: 0 });
  assert.ok(!result.ok);
  assert.match(result.error, /EADDRNOTAVAIL/);
});

test('the certificate is none', async () => {
  const result = await server({ cert: 'x', key: 'y', required: false }).listen({
    host: '127.0.0.1',
    port: 0,
  });
  assert.ok(!result.ok);
  assert.match(result.error, /certificate/);
});

test('one server listens on several addresses', async () => {
  const both = server();
  const first = await both.listen({ host: '127.0.0.1', port: 0 });
  const second = await both.listen({ host: '127.0.0.2', port: 0 });
  assert.ok(first.ok && second.ok);
  assert.equal(second.value.address, '127.0.0.2');
  await both.close();
  const later = await both.listen({ host: '127.0.0.1', port: 0 });
  assert.ok(!later.ok);
});
