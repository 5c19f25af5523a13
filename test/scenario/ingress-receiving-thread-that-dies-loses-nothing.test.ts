/** What was handed over is in the queue whatever becomes of the thread; its sessions break off without an answer. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { BroadcastChannel, setEnvironmentData } from 'node:worker_threads';
import type { Intake } from '../../src/mta/ingress/index.ts';
import { eventually } from '../support/mta-world.ts';
import { type Talk, talkTo } from '../support/talk.ts';
import { openDoor } from '../unit/ingress/door.ts';
import { events } from '../unit/ingress/fixture.ts';

function mortal(t: TestContext): { readonly worker: URL; readonly kill: () => void } {
  const name = randomUUID();
  setEnvironmentData('mortal', name);
  const channel = new BroadcastChannel(name);
  t.after(() => channel.close());
  return {
    worker: new URL('../support/mortal-receiver.ts', import.meta.url),
    kill: () => channel.postMessage('die'),
  };
}

async function greeted(port: number): Promise<Talk> {
  const talk = await talkTo(port);
  await talk.expect(/^220 [^\r]*\r\n/);
  await talk.ask('EHLO app.test\r\n');
  return talk;
}

async function envelope(talk: Talk): Promise<void> {
  await talk.ask('MAIL FROM:<a@b.test>\r\n');
  await talk.ask('RCPT TO:<a@one.test>\r\n');
  assert.match(await talk.ask('DATA\r\n'), /^354/);
}

const MESSAGE = 'From: news@shop.test\r\nSubject: s\r\n\r\nHello.\r\n.\r\n';

test('a message that was handed over is accepted; the next thread listens at the same port', async (t) => {
  const { worker, kill } = mortal(t);
  const handed = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const around = (intake: Intake): Intake => ({
    ...intake,
    submit: async (message) => {
      handed.resolve();
      await release.promise;
      return intake.submit(message);
    },
  });
  const { desk, door, port, deaths } = await openDoor(t, 'two threads', { worker, around });
  const talk = await greeted(port);
  await envelope(talk);
  talk.send(MESSAGE);
  await handed.promise;
  kill();
  assert.equal(await talk.ended(), '', 'no answer, for nobody knew yet');
  await eventually(() => deaths.length === 1, 'the death is told');
  assert.match(String(deaths[0]), /as it was told/);
  release.resolve();
  await eventually(() => events(desk).length === 1, 'the message is in the queue');
  await eventually(() => door.down === undefined, 'another thread is there');
  const again = await greeted(port);
  await envelope(again);
  assert.match(await again.ask(MESSAGE), /^250 /);
  assert.equal(events(desk).length, 2);
});

test('a thread that is gone says so until the next one listens, with the rules of now', async (t) => {
  const { worker, kill } = mortal(t);
  const { door, port, rules, deaths } = await openDoor(t, 'two threads', { worker });
  kill();
  await eventually(() => deaths.length === 1, 'the death is told');
  assert.match(door.down ?? '', /the receiving thread has ended/);
  await door.configure({ ...rules, relayFrom: [] });
  await eventually(() => door.down === undefined, 'another thread is there');
  const talk = await greeted(port);
  assert.match(await talk.ask('MAIL FROM:<a@b.test>\r\n'), /^550 5\.7\.1 relaying denied/);
});

test('a thread that dies while it ends is not started again', async (t) => {
  const { worker, kill } = mortal(t);
  const { door, port, deaths } = await openDoor(t, 'two threads', { worker });
  const talk = await greeted(port);
  await envelope(talk);
  const closed = door.close({ drainMs: 60_000 });
  kill();
  await closed;
  await talk.ended();
  assert.deepEqual(deaths, []);
});
