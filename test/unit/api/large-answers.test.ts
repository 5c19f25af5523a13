/** What is answered of a large site is read in slices, so that mail goes on meanwhile, and is all there. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type CampaignsView, createControlServer, type QueueReport, SLICE } from '../../../src/api/index.ts';
import { CAMPAIGNS, ISPS, largeSite, NODES } from '../../support/large-site.ts';
import { Meter } from '../../support/meter.ts';
import { scratch } from '../../support/mta.ts';
import { clientOf, type Fixture } from './control-fixture.ts';

const ROWS = NODES * ISPS;
const SUM = ROWS * 100_000 - (ROWS * (ROWS - 1)) / 2;

async function large(t: TestContext): Promise<{ meter: Meter; get: Fixture['get'] }> {
  const deps = await largeSite(t);
  const server = createControlServer(deps);
  t.after(() => server.close());
  const socketPath = join(scratch(t), 'control.sock');
  assert.deepEqual(await server.listenSocket(socketPath), { ok: true, value: undefined });
  return { meter: new Meter(deps, t), get: clientOf({ socketPath }).get };
}

for (const path of [
  '/v1/status',
  '/v1/queue',
  '/v1/queue?group_by=campaign,node,domain&limit=100000',
  '/v1/campaigns',
  '/v1/campaigns?limit=10000',
  '/v1/nodes',
])
  test(`no turn of the event loop reads more than a slice for ${path}`, async (t) => {
    const { meter, get } = await large(t);
    assert.equal((await get(path)).status, 200);
    meter.stop();
    assert.ok(meter.all >= ROWS, `${meter.all} pieces`);
    // What is left of one walk and the first slice of the next may be in one turn.
    assert.ok(meter.most <= 2 * SLICE, `${meter.most} pieces in one turn`);
  });

test('the queue has its largest rows first, and says how many are left out', async (t) => {
  const { meter, get } = await large(t);
  const { rows, more_rows, totals } = (await get('/v1/queue?group_by=isp,node&limit=2500'))
    .json as unknown as QueueReport;
  assert.deepEqual([rows.length, more_rows, totals.total], [2500, ROWS - 2500, SUM]);
  assert.deepEqual(
    rows.map(({ total }) => total),
    Array.from({ length: 2500 }, (_, i) => 100_000 - i),
  );
  const status = (await get('/v1/status')).json as { readonly queue: { readonly total: number } };
  assert.equal(status.queue.total, SUM);
  meter.stop();
});

test('the pages of the campaigns have each of them once, in order', async (t) => {
  const { meter, get } = await large(t);
  const seen: string[] = [];
  let queued = 0;
  for (let query = ''; ;) {
    const { campaigns, next } = (await get(`/v1/campaigns?limit=3000${query}`))
      .json as unknown as CampaignsView;
    seen.push(...campaigns.map(({ campaign_id: id }) => id));
    queued += campaigns.reduce((sum, one) => sum + one.queued, 0);
    if (next === undefined) break;
    query = `&cursor=${next}`;
  }
  assert.equal(queued, SUM);
  assert.equal(new Set(seen).size, CAMPAIGNS);
  assert.deepEqual(seen, seen.toSorted());
  meter.stop();
});
