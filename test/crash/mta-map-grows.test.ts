/**
 * The map of the store grows while mail comes in and goes out: the built program begins with a map of less than a
 * megabyte, as LMDB makes it, and gets many times as much mail as that holds. The map is what the kernel says it is.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { STORE_FILE } from '../../src/queue/index.ts';
import { BUILT, Mta, ofType } from '../support/mta.ts';
import { eventually, gate, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const MEGABYTE = 1024 * 1024;
const HELD = 40;
const BODY = `${'x'.repeat(70)}\r\n`.repeat(10_000);

/** Bytes of the largest mapping of the store in a process. */
function mappedBytes(pid: number): number {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  const sizes = lines
    .filter((line) => line.endsWith(STORE_FILE))
    .map((line) =>
      line
        .split(' ', 1)[0]!
        .split('-')
        .map((hex) => Number.parseInt(hex, 16)),
    )
    .map(([from = 0, to = 0]) => to - from);
  return Math.max(0, ...sizes);
}

test('mail of 25 MB through a map of less than one', { timeout: 180_000 }, async (t) => {
  if (process.platform !== 'linux') return t.skip('the maps of a process are in /proc');
  const [held, sink] = [await gate(t), await receiver(t)];
  const mta = await Mta.prepare(t, { routes: [routeTo(held, 'held.test'), routeTo(sink)] });
  mta.program = BUILT;
  await mta.start();
  const before = mappedBytes(mta.pid);
  assert.ok(before > 0 && before < MEGABYTE, `${before} bytes are mapped`);
  const session = await mta.session();
  for (let i = 0; i < HELD; i++) {
    for (const to of [`r${i}@held.test`, `r${i}@open.test`]) {
      const sent = await submit(session, to, mail(to, [], BODY));
      assert.ok(sent.recipients[0]?.ok, JSON.stringify(sent));
    }
    // What is mapped anew must not stop what goes out.
    await eventually(() => sink.stats().distinctRecipients === i + 1, 'delivery goes on');
  }
  session.destroy();
  const after = mappedBytes(mta.pid);
  assert.ok(after > 16 * before && after > 20 * MEGABYTE, `${after} bytes are mapped, ${before} before`);
  held.open();
  const events = await mta.settled(2 * HELD);
  assert.equal(ofType(events, 'delivered').length, 2 * HELD);
  assert.equal(held.held.size, HELD);
  await mta.end();
});
