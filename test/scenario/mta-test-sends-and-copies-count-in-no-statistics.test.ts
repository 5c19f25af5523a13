/**
 * Test sends and copies go out like all mail, also where they bounce, and no metric, report or alert counts them. What
 * is counted is shown by the mail of a campaign that bounces the same way.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BounceReport } from '../../src/api/index.ts';
import type { Event } from '../../src/core/index.ts';
import { Mta, ofType } from '../support/mta.ts';
import { FROM, receiver, routeTo } from '../support/mta-world.ts';

const WATCHED = 20;
/** More than half of the attempts, so that an alert fires. */
const BOUNCES = 40;
const parts = { from: FROM, subject: 'For {{name}}', text: 'Hello {{name}}' };

const isMail = ({ campaign_id }: Event): boolean => campaign_id === 'spring';

async function send(mta: Mta, header: object, to: readonly string[]): Promise<void> {
  const lines = to.map((one) => ({ to: one, vars: { name: one } }));
  const body = [{ from: FROM, parts, ...header }, ...lines]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');
  const { text } = await mta.api('/v1/batches', { type: 'application/x-ndjson', body });
  assert.match(text, new RegExp(`"accepted":${to.length},"rejected":0`));
}

const addresses = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${name}${i}@to.test`);

/** What each place that counts has: accepted, delivered, ended otherwise, attempts; refusals; rows of the reports. */
async function counted(mta: Mta): Promise<unknown> {
  const metrics = (await mta.api('/metrics')).text;
  const sum = (name: string): number =>
    [...metrics.matchAll(new RegExp(`^postrider_${name}(?:\\{.*\\})? (\\d+)$`, 'gm'))].reduce(
      (all, [, value]) => all + Number(value),
      0,
    );
  const reports: number[] = [];
  for (const name of ['bounces', 'undelivered'])
    reports.push(((await mta.api(`/v1/reports/${name}`)).body as BounceReport).events);
  const names = ['accepted_total', 'delivered_total', 'failed_total', 'attempts_total', 'bounces_total'];
  return { ...Object.fromEntries(names.map((name) => [name, sum(name)])), reports };
}

test('they arrive, and are in no figure', async (t) => {
  const sink = await receiver(t, { unknownUsers: ['gone*@to.test'], keep: 1_000 });
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    alerts: { min_volume: 2, min_count: 2, hard_bounces: 50 },
  });
  const copies = [
    { to: 'gone-seed@to.test', first: 5 },
    { to: 'archive@to.test' },
    { to: 'seed@to.test', first: 3 },
  ];
  const sent = WATCHED + 5 + WATCHED + 3;
  await send(mta, { campaign_id: 'spring', copies }, addresses('reader', WATCHED));
  await send(mta, { campaign_id: 'spring', test: true }, [
    ...addresses('gone', 30),
    ...addresses('tester', 4),
  ]);
  await mta.settled(sent + 34);
  /** Without what names the one copy: the addressee and the id. */
  const of = (to: string): string[] =>
    sink.messages
      .filter(({ recipients }) => recipients[0] === to)
      .map(({ content }) => content.toString().replaceAll(/^(?:To|Message-ID): .*\r\n/gm, ''));
  const readers = addresses('reader', WATCHED).flatMap(of).sort();
  assert.deepEqual(of('archive@to.test').sort(), readers, 'each of them, as its recipient has it');
  assert.deepEqual(of('seed@to.test').sort(), addresses('reader', 3).flatMap(of).sort());
  assert.deepEqual(await counted(mta), {
    accepted_total: WATCHED,
    delivered_total: WATCHED,
    failed_total: 0,
    attempts_total: WATCHED,
    bounces_total: 0,
    reports: [0, 0],
  });

  await send(mta, { campaign_id: 'spring' }, addresses('gone-too', BOUNCES));
  const events = await mta.until(
    (all) => ofType(all, 'alert').length > 0 && ofType(all, 'hard_bounce').filter(isMail).length === BOUNCES,
  );
  const [, bounced, attempts] = /(\d+) of (\d+) attempts bounced/.exec(ofType(events, 'alert')[0]!.reason!)!;
  assert.equal(Number(attempts) - Number(bounced), WATCHED, 'all that was taken is mail of the readers');
  assert.deepEqual(await counted(mta), {
    accepted_total: WATCHED + BOUNCES,
    delivered_total: WATCHED,
    failed_total: BOUNCES,
    attempts_total: WATCHED + BOUNCES,
    bounces_total: BOUNCES,
    reports: [BOUNCES, 0],
  });
  await mta.end();
});
