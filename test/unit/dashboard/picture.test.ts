/** The picture of a large site is made in slices, and shows of it what there is. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { SLICE, Slices } from '../../../src/api/index.ts';
import { Observer } from '../../../src/dashboard/observer.ts';
import { type Picture, takePicture } from '../../../src/dashboard/snapshot.ts';
import { CAMPAIGNS, ISPS, largeSite, NODES } from '../../support/large-site.ts';
import { Meter } from '../../support/meter.ts';

/** Rows, campaigns and lanes, read one by one. */
const PIECES = NODES * ISPS * 2 + CAMPAIGNS;

async function large(t: TestContext): Promise<{ meter: Meter; picture: Picture }> {
  const deps = await largeSite(t);
  const meter = new Meter(deps, t);
  const picture = await takePicture({ deps, observer: new Observer() }, new Slices());
  meter.stop();
  return { meter, picture };
}

test('no turn of the event loop reads more than a slice of it, and each piece is read once', async (t) => {
  const { meter } = await large(t);
  assert.equal(meter.all, PIECES);
  // What is left of one walk and the first slice of the next may be in one turn.
  assert.ok(meter.most <= 2 * SLICE, `${meter.most} pieces in one turn`);
  assert.ok(meter.turns >= PIECES / (2 * SLICE), `${meter.turns} turns`);
});

test('nothing is read again for a page that is shown it, scrolls or searches', async (t) => {
  const { meter, picture } = await large(t);
  const read = meter.all;
  for (const full of [true, false]) assert.equal(picture.snapshot(full).grid.rows, ISPS);
  const look = { grid: 'SP299 n9', row: 0, column: 0, campaigns: 'acme c999', campaign: 0 };
  const { grid, campaigns } = picture.find(look, true);
  assert.deepEqual([grid.rows, grid.columns], [1, 11]);
  assert.deepEqual([...new Set(grid.cells.map(({ isp }) => isp))], ['isp299']);
  assert.deepEqual(
    campaigns.campaigns.map(({ campaign }) => campaign).sort(),
    [...Array.from({ length: 10 }, (_, i) => `c999${i}`), 'c999'].sort(),
  );
  assert.equal(meter.all, read);
});

test('its sums are those of the rows', async (t) => {
  const { picture } = await large(t);
  const { queue, totals, campaigns, grid, notGood } = picture.snapshot(false);
  const count = NODES * ISPS;
  assert.equal(queue.total, count * 100_000 - (count * (count - 1)) / 2);
  assert.deepEqual(totals, {
    accepted: CAMPAIGNS * 1_000_000,
    delivered: CAMPAIGNS * 10,
    failed: 0,
  });
  assert.deepEqual([campaigns.rows, grid.rows, grid.columns, notGood], [CAMPAIGNS, ISPS, NODES, 0]);
});

test('what alerts is shown as the status command names it; its text, which may quote, after the sign-in', async (t) => {
  const deps = await largeSite(t);
  const text = 'soft: 550 of 1139 attempts were put off';
  const alerts = Array.from({ length: 12 }, (_, i) => ({
    name: 'soft_bounces' as const,
    isp: `isp${i}`,
    since: 1_000 + i,
    text,
  }));
  const status = { ...deps.status(), alerts };
  const picture = await takePicture(
    { deps: { ...deps, status: () => status }, observer: new Observer() },
    new Slices(),
  );
  const { alerts: shown, alertCount } = picture.snapshot(true);
  assert.deepEqual([shown[0], shown.length, alertCount], [alerts[0], 10, 12], 'no more than it has room for');
  const before = picture.snapshot(false).alerts;
  assert.deepEqual({ ...before[0], text }, alerts[0]);
  assert.ok(before.every((one) => one.text === undefined));
});
