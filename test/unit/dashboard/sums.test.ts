/** What the page sums up over the campaigns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApiDependencies, Paced, Slices } from '../../../src/api/index.ts';
import { PairMap } from '../../../src/dashboard/pair-map.ts';
import { sumCampaigns } from '../../../src/dashboard/sums.ts';
import { TEST_CAMPAIGN } from '../../../src/queue/index.ts';
import { accept, acceptLeased, delivered, failed, openRig } from '../queue/fixture.ts';

test('test sends and copies are campaigns of the list, and in none of its totals', async () => {
  const rig = await openRig();
  for (const [campaignId, wish] of [
    ['spring', {}],
    [TEST_CAMPAIGN, { test: true as const, testOf: 'spring' }],
  ] as const) {
    await rig.queue.record(await acceptLeased(rig, { campaignId, ...wish }), delivered(rig));
    await rig.queue.record(await acceptLeased(rig, { campaignId, ...wish }), failed(rig));
    await accept(rig, { campaignId, ...wish });
  }
  const queued = new PairMap<Paced>();
  const row = { account: '', campaign: 'spring', sender: 'promo', node: 'n1', domain: 'one.test' };
  queued
    .entry('', 'spring', () => new Paced(0))
    .add({ ...row, new: 1, retry: 0, proc: 0 }, { isp: 'one', held: 0, oldest: 0 });
  const deps = { queue: rig.queue } as unknown as ApiDependencies;
  const { campaigns, totals } = await sumCampaigns(deps, queued, new Slices());
  assert.deepEqual(totals, { accepted: 3, delivered: 1, failed: 1 });
  assert.deepEqual(
    campaigns.map(({ campaign, accepted, delivered: sent, hard, total }) => [
      campaign,
      accepted,
      sent,
      hard,
      total,
    ]),
    [
      ['spring', 3, 1, 1, 1],
      [TEST_CAMPAIGN, 3, 1, 1, 0],
    ],
  );
});
