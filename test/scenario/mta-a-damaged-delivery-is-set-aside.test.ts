/** A flipped bit in the store's file: the delivery that it damages is set aside and named, all others go on. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { QuarantineView } from '../../src/api/index.ts';
import { ends, MAIN, Mta, ofType } from '../support/mta.ts';
import { eventually, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const COUNT = 5;

function postrider(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), out: `${stdout}${stderr}` }),
    );
  });
}

/** Flips a bit of a text wherever the file has it. */
function damage(file: string, text: string): number {
  const bytes = readFileSync(file);
  const fd = openSync(file, 'r+');
  let found = 0;
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1), found++)
    writeSync(fd, Buffer.of(bytes[at]! ^ 1), 0, 1, at);
  return found;
}

test('a flipped bit in the file sets one delivery aside', { timeout: 120_000 }, async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  await mta.api('/v1/queue/hold', { method: 'POST', body: '{"all":true}' });
  const session = await mta.session();
  for (let i = 0; i < COUNT; i++) await submit(session, `r${i}@to.test`, mail(`for-r${i}`));
  session.destroy();
  await mta.kill('SIGTERM');
  assert.ok(damage(join(mta.dir, 'data', 'queue.mdb'), 'for-r2') > 0);

  await mta.start();
  await mta.api('/v1/queue/release', { method: 'POST', body: '{"all":true}' });
  await mta.settled(COUNT - 1);
  await eventually(async () => (await mta.status()).queue.quarantined === 1, 'one is set aside');
  const { quarantined, deliveries } = (await mta.api('/v1/queue/quarantine')).body as QuarantineView;
  assert.deepEqual([quarantined, deliveries[0]?.reason], [1, 'the content is damaged']);
  assert.equal(deliveries[0]?.recipient, 'r2@to.test');
  const id = deliveries[0].delivery_id;

  const listed = await postrider('queue', 'quarantine', 'list', '-c', mta.configFile);
  assert.match(listed.out, new RegExp(`${id}.*r2@to\\.test.*the content is damaged`));
  assert.match((await postrider('status', '-c', mta.configFile)).out, /1 are damaged and set aside/);
  const audited = await postrider('audit', '-c', mta.configFile);
  assert.equal(audited.code, 1);
  assert.match(audited.out, new RegExp(`delivery ${id} is in the quarantine`));
  const released = await postrider('queue', 'quarantine', 'release', id, '-c', mta.configFile);
  assert.equal(released.code, 1);
  assert.match(released.out, /still damaged/);
  const { counters } = await mta.status();
  assert.deepEqual([counters.accepted, counters.delivered, counters.queued], [COUNT, COUNT - 1, 1]);

  const remove = ['queue', 'quarantine', 'remove', '--all', '-c', mta.configFile] as const;
  const unasked = await postrider(...remove);
  assert.equal(unasked.code, 2);
  assert.match(unasked.out, /remove \d+ damaged deliveries\? There is no terminal to ask on: add --yes/);
  assert.match((await postrider(...remove, '--dry-run')).out, /^\d+ would be removed$/m);
  const removed = await postrider(...remove, '--yes');
  assert.deepEqual([removed.code, removed.out], [0, '1 removed\n']);
  const events = await mta.end(); // audits: all is well again
  assert.equal(ends(events).length, COUNT);
  assert.equal(ofType(events, 'quarantined')[0]?.delivery_id, id);
});
