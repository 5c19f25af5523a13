import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControl, until } from '../unit/api/control-fixture.ts';

const HEADER = '{"from":"news@a.test","content":"Subject: hi\\n\\nhello"}';
const line = (i: number): string => `{"to":"u${i}@a.test"}`;

test('a connection that breaks in the middle of a batch leaves what was committed, and closes the batch', async (t) => {
  const control = await startControl(t);
  const sent = control.open('POST', '/v1/batches', { 'content-type': 'application/x-ndjson' });
  sent.on('error', () => undefined);
  const lines = Array.from({ length: 600 }, (_, i) => line(i));
  sent.write(`${[HEADER, ...lines].join('\n')}\n{"to":"half@`);
  await until(() => control.queue.state.counters.sum().accepted === 600, 'all whole lines are committed');
  assert.equal(control.injector.closed, 0);
  sent.destroy();
  await until(() => control.logged.length === 1, 'the end is noticed');
  assert.equal(control.injector.closed, 1);
  assert.equal(control.queue.state.counters.sum().accepted, 600);
  assert.deepEqual(control.logged, [{ level: 'warn', text: 'a batch connection broke' }]);
  assert.equal((await control.get('/v1/status')).status, 200);
});

test('a connection that breaks before the header is complete opens nothing', async (t) => {
  const control = await startControl(t);
  const sent = control.open('POST', '/v1/batches', { 'content-type': 'application/x-ndjson' });
  sent.on('error', () => undefined);
  sent.write(HEADER.slice(0, 20));
  await new Promise<void>((resolve) =>
    sent.once('socket', (socket) => socket.once('connect', () => resolve())),
  );
  sent.destroy();
  assert.equal((await control.get('/v1/status')).status, 200);
  assert.equal(control.injector.opened, 0);
});
