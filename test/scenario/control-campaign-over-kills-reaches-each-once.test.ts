/** A campaign whose server and whose client are killed in the middle, sent again under its idempotency key. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { eventually } from '../support/mta-world.ts';

const RECIPIENTS = 20_000;
const AT_SERVER_KILL = 4_000;
const AT_CLIENT_KILL = 14_000;
const SENDER = join(import.meta.dirname, '../support/campaign-sender.ts');
/** Nothing is sent, so that the counts stand still. */
const DOWN = { nodes: [{ name: 'n1', address: '192.0.2.9', hostname: 'n1.test' }] };

function send(t: TestContext, mta: Mta, stallsAfter: number): ChildProcess {
  const args = [mta.socket, 'spring-2026', String(RECIPIENTS), String(stallsAfter)];
  const child = fork(SENDER, args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

test('each recipient of 20,000 is accepted once', { timeout: 120_000 }, async (t) => {
  const mta = await Mta.start(t, DOWN);
  const queued = async (): Promise<number> => (await mta.status()).queue.total;

  const first = send(t, mta, AT_CLIENT_KILL);
  await eventually(async () => (await queued()) >= AT_SERVER_KILL, 'some recipients are committed');
  await mta.kill('SIGKILL');
  await mta.audit();
  await mta.start();
  await eventually(async () => (await queued()) === AT_CLIENT_KILL, 'the client goes on by itself');
  first.kill('SIGKILL');
  await once(first, 'exit');

  const second = send(t, mta, Infinity);
  const { accepted, rejected, messageId } = JSON.parse(await text(second.stdout!)) as Record<string, unknown>;
  assert.deepEqual([accepted, rejected], [RECIPIENTS, 0]);

  const events = ofType(await mta.end(), 'accepted');
  assert.equal(events.length, RECIPIENTS);
  assert.equal(new Set(events.map(({ recipient }) => recipient)).size, RECIPIENTS);
  assert.ok(events.every(({ message_id: id }) => id === messageId));
});
