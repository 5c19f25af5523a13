/**
 * The built program under load while its wall clock is set forward and back by hours: nothing is lost, nothing ends
 * before its time, no window of a limit is exceeded (the receiver judges by a clock of its own), deliveries go on after
 * each step, retries too.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILT, Mta, ofType, RUNNING } from '../support/mta.ts';
import { eventually, receiver, routeTo } from '../support/mta-world.ts';
import { settableClock } from '../support/set-clock.ts';
import { Load } from './kill-load.ts';

/** Hours beside the true time: forward, far back, back over the day, far forward (more than a lifetime), back to truth. */
const STEPS = [3, -5, 20, -11, 60, 0];
const LIMITED = { count: 200, perMs: 1_000 };
const MORE = 40;

test('hours forward and back under load', { timeout: 300_000 }, async (t) => {
  const clock = settableClock(t);
  if (!clock) return;
  const arrived = new Map<string, number>();
  const onMessage = ({ recipients }: { readonly recipients: readonly string[] }): void =>
    recipients.forEach((to) => arrived.set(to, (arrived.get(to) ?? 0) + 1));
  const open = await receiver(t, { onMessage });
  const limited = await receiver(t, { onMessage, rateLimit: { ...LIMITED, tolerance: 0.2, code: 450 } });
  const greylisting = await receiver(t, {
    onMessage,
    rules: [{ phase: 'rcpt', once: true, action: { code: 451, enhanced: undefined, text: 'come again' } }],
  });
  const mta = await Mta.prepare(t, {
    routes: [routeTo(limited, 'd1.test'), routeTo(greylisting, 'd2.test'), routeTo(open)],
    isps: [{ name: 'limited', domains: ['d1.test'] }],
    retry_rules: [{ name: 'soon', attempts: 5, interval: '3s', type: 'fixed' }],
    strategies: [{ name: 'slow', rate: `${LIMITED.count}/1s`, concurrent_connections: 2 }],
    senders: [
      {
        name: 'shop',
        nodes: [{ node: 'n1' }],
        strategies: { default: 'unlimited', limited: 'slow' },
        retry: 'soon',
        lifetime: '24h',
      },
    ],
  });
  mta.program = BUILT;
  mta.launch({ env: clock.env });
  assert.ok(await mta.heard(({ msg }) => msg === RUNNING), mta.stderr);
  const load = new Load(mta);
  let done = false;
  const working = load.until(() => done || mta.ended);
  for (const hours of STEPS) {
    clock.set(hours);
    for (const sink of [open, limited, greylisting]) {
      const before = sink.stats().distinctRecipients;
      await eventually(
        () => sink.stats().distinctRecipients >= before + MORE,
        `deliveries go on at ${hours} hours beside the time\n${mta.stderr.slice(-1500)}`,
      );
    }
    const { clock_set_seconds: told = 0, uptime_seconds: up } = await mta.status();
    assert.ok(Math.abs(told - hours * 3600) < 5 && up < 3600, `status tells of ${told} s, up for ${up} s`);
  }
  done = true;
  await working;
  await eventually(async () => (await mta.status()).queue.total === 0, 'the queue is empty', 90_000);
  const setBack = mta.log.filter(({ msg }) => msg.startsWith('the clock was set back'));
  assert.equal(setBack.length, STEPS.filter((hours, i) => hours < (STEPS[i - 1] ?? 0)).length);
  const events = await mta.end();

  const accepted = ofType(events, 'accepted').length;
  assert.ok(load.acknowledged.size > STEPS.length * MORE, 'there was load');
  assert.deepEqual(
    [...load.acknowledged].filter((to) => !arrived.has(to)),
    [],
    'nothing is lost',
  );
  assert.equal(ofType(events, 'undelivered').length, 0, 'nothing has ended before its time');
  assert.equal(ofType(events, 'delivered').length, accepted);
  assert.equal([...arrived.values()].filter((times) => times > 1).length, 0, 'nothing came twice');
  assert.equal(limited.stats().rateExceeded, 0, 'no window of the limit was exceeded');
  t.diagnostic(`${STEPS.length} steps, ${accepted} accepted, ${arrived.size} arrived`);
});
