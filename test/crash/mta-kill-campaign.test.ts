/**
 * kill -9 of the whole program in the middle of a campaign that has a cap per start, under a sending policy: afterwards
 * the cap is as far used up as before, who was mailed is mailed no second time, and the rest goes on when it is told to.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { receiver, routeTo } from '../support/mta-world.ts';

const RECIPIENTS = 100;
const PER_START = 40;
const NDJSON = 'application/x-ndjson';

const HEADER = {
  from: 'news@shop.test',
  parts: { from: 'news@shop.test', subject: 'For {{name | default: "you"}}', text: 'Hello' },
  account_id: 'shop',
  campaign_id: 'spring',
};

const batchOf = (header: object): string =>
  [header, ...Array.from({ length: RECIPIENTS }, (_, i) => ({ to: `u${i}@d${i % 10}.test` }))]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');

interface Campaign {
  readonly campaign_id: string;
  readonly accepted: number;
  readonly delivered: number;
  readonly undelivered: number;
  readonly queued: number;
  readonly limits?: { readonly sent: number; readonly per_start: number };
}

async function spring(mta: Mta): Promise<Campaign> {
  const { body } = await mta.api('/v1/campaigns?account_id=shop&campaign_id=spring');
  return (body as { campaigns: Campaign[] }).campaigns[0]!;
}

const delivered = (mta: Mta, count: number): Promise<unknown> =>
  mta.until((events) => ofType(events, 'delivered').length >= count);

test('caps and policies hold over kill -9', { timeout: 120_000 }, async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    strategies: [{ name: 'free', concurrent_connections: 5, messages_per_connection: 100 }],
    nodes: [{ name: 'n1', address: '127.0.0.2', hostname: 'n1.test' }],
    senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'free' } }],
    policies: [{ name: 'once', max: 1, days: 7, per: 'account' }],
  });
  const limits = { per_start: PER_START };
  await mta.api('/v1/batches', { type: NDJSON, body: batchOf({ ...HEADER, limits }) });
  await delivered(mta, PER_START);
  assert.deepEqual(await mta.kill('SIGKILL'), { code: null, signal: 'SIGKILL' });
  await mta.audit();

  await mta.start();
  const again = await mta.api('/v1/batches', { type: NDJSON, body: batchOf(HEADER) });
  assert.equal(again.status, 200);
  const after = await spring(mta);
  assert.deepEqual(
    [after.accepted, after.undelivered, after.delivered + after.queued],
    [2 * RECIPIENTS, RECIPIENTS, RECIPIENTS],
    'all of the second batch ends by the policy',
  );
  assert.ok(after.delivered >= PER_START && after.limits!.sent === PER_START, JSON.stringify(after));
  const { body } = await mta.api('/v1/deliveries?campaign_id=spring&state=new&limit=1000');
  const waiting = (body as { deliveries: { why_waiting?: string }[] }).deliveries;
  assert.ok(waiting.length > 0);
  for (const { why_waiting: why } of waiting)
    assert.match(why!, /^limit of the campaign: 40 per start are used up/);

  const started = await mta.api('/v1/campaigns/spring/start', {
    method: 'POST',
    body: '{"account_id":"shop"}',
  });
  assert.equal(started.status, 200);
  await delivered(mta, 2 * PER_START);
  await mta.api('/v1/campaigns/spring/limits', { method: 'POST', body: '{"account_id":"shop"}' });
  await delivered(mta, RECIPIENTS);
  const refused = ofType(await mta.end(), 'undelivered');
  assert.deepEqual(new Set(refused.map(({ reason }) => reason)), new Set(['policy']));
  assert.equal(sink.stats().distinctRecipients, RECIPIENTS);
});
