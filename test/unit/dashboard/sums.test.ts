/** What the page sums up over the campaigns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApiDependencies, Paced, Slices } from '../../../src/api/index.ts';
import { PairMap } from '../../../src/dashboard/pair-map.ts';
import { sumCampaigns, sumQueue } from '../../../src/dashboard/sums.ts';
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
    .add({ ...row, new: 1, retry: 0, proc: 0 }, { isp: 'one', held: 0, oldest: 0, cap: undefined });
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

test('of a cell it is known whose untried mail waits for longest', async () => {
  const rig = await openRig();
  const { queue, clock } = rig;
  await accept(rig);
  const start = clock.now();
  const rows = [
    { campaign: 'put off', new: 0, retry: 5, proc: 0, oldest: start + 1_000 },
    { campaign: 'on its way', new: 2, retry: 0, proc: 2, oldest: start + 2_000 },
    { campaign: 'later', new: 2, retry: 0, proc: 0, oldest: start + 9_000 },
    { campaign: 'first', new: 2, retry: 0, proc: 1, oldest: start + 3_000 },
    { campaign: 'last', new: 2, retry: 0, proc: 0, oldest: start + 9_000 },
  ].map((row) => ({ account: '', sender: 'promo', node: 'n1', domain: 'one.test', ...row }));
  Object.assign(queue.state.counters, { rows: () => rows.values() });
  const deps = {
    queue,
    egress: { ispOf: () => 'one', campaigns: { of: () => undefined } },
  } as unknown as ApiDependencies;
  const { cells } = await sumQueue(deps, clock.now(), new Slices());
  assert.equal(cells.get('n1', 'one')?.first?.campaign, 'first');
  await queue.close();
});
