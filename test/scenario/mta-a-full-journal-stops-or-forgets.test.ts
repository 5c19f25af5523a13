/** A follower that cannot go on: people are told long before, and at the bound the journal does what `on_full` says. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Answer, Mta, ofType } from '../support/mta.ts';
import { eventually, FROM, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const inject = (mta: Mta, to: string): Promise<Answer> =>
  mta.api('/v1/messages', {
    body: JSON.stringify({ envelope: { from: FROM, to: [to] }, content: mail(to).toString('latin1') }),
  });

/** The delivery log is to be in a directory whose name a file has, so it waits at the first event. */
async function withStuckLog(t: TestContext, onFull: 'gap' | 'stop'): Promise<{ mta: Mta; blocking: string }> {
  const sink = await receiver(t);
  const mta = await Mta.prepare(t, {
    routes: [routeTo(sink)],
    journal: { max_size: '20KB', on_full: onFull },
    log: { deliveries: { file: 'blocked/deliveries.log' } },
  });
  const blocking = join(mta.dir, 'blocked');
  writeFileSync(blocking, 'a file');
  await mta.start();
  return { mta, blocking };
}

const warned = async (mta: Mta): Promise<void> => {
  await eventually(async () => {
    const { alerts } = await mta.status();
    return alerts.some(({ name }) => name === 'journal_lag');
  }, 'the lag is told');
  const [alert] = ofType(await mta.until((events) => ofType(events, 'alert').length > 0), 'alert');
  assert.deepEqual(alert!.alert, { name: 'journal_lag', state: 'firing' });
  assert.match(alert!.reason!, /delivery log is \d+ events behind/);
  assert.ok(mta.log.some(({ msg }) => msg.startsWith('alert: delivery log is')));
};

test('stop: mail is refused until it has caught up', { timeout: 180_000 }, async (t) => {
  const { mta, blocking } = await withStuckLog(t, 'stop');
  let sent = 0;
  await eventually(
    async () => (await inject(mta, `r${sent}@to.test`)).status === 503 || ++sent === Infinity,
    'mail is refused',
  );
  assert.match((await inject(mta, 'late@to.test')).text, /try again later/);
  const smtp = await submit(await mta.session(), 'late@to.test', mail('late@to.test'));
  assert.match(JSON.stringify(smtp), /452/);
  const { ready, not_ready: why } = await mta.status();
  assert.equal(ready, false);
  assert.match(why.join(), /delivery log is \d+ events behind \(journal\.on_full: stop\)/);
  await mta.settled(sent);
  await warned(mta);
  rmSync(blocking);
  await eventually(async () => (await inject(mta, 'again@to.test')).status === 202, 'mail is taken again');
  await mta.settled(sent + 1);
  const events = await mta.end();
  assert.equal(events[0]?.seq, 1, 'nothing was forgotten');
});

test('gap: mail goes on', { timeout: 180_000 }, async (t) => {
  const { mta } = await withStuckLog(t, 'gap');
  for (let i = 0; i < 100; i++) assert.equal((await inject(mta, `r${i}@to.test`)).status, 202);
  await mta.settled(100);
  await warned(mta);
});
