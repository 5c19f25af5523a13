/** A process that may open no more files: its nodes are not down, and no receiver is to blame. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Mta, ofType } from '../support/mta.ts';
import { FROM, receiver, routeTo } from '../support/mta-world.ts';

/** Longer than from one look at the addresses to the next. */
const LOOK_MS = 5_500;

test('mail waits without an attempt, and goes when there are descriptors again', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  const body = JSON.stringify({
    envelope: { from: FROM, to: ['a@to.test'] },
    parts: { from: FROM, subject: 'news', text: 'Hello.' },
    not_before: new Date(Date.now() + 2_000).toISOString(),
  });
  assert.equal((await mta.api('/v1/messages', { body })).status, 202);
  const atMost = (files: number): unknown =>
    execFileSync('prlimit', ['--pid', `${mta.pid}`, `--nofile=${files}:`]);
  // Below all that it has: what it closes meanwhile gives it no other.
  atMost(3);
  assert.ok(await mta.heard(({ msg }) => msg.startsWith('no session could be opened')));
  await delay(LOOK_MS);
  atMost(1_024);
  const events = await mta.settled(1);
  assert.equal(ofType(events, 'delivered').length, 1);
  assert.deepEqual(ofType(events, 'soft_bounce'), []);
  const states = ofType(events, 'node_state').map(({ reason }) => reason);
  assert.deepEqual(states, ['node n1 is running']);
  await mta.end();
});
