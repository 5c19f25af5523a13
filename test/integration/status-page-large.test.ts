/** The status page of a large site: 100 nodes, 300 ISPs, 10,000 campaigns, far more than a page can draw at once. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createStatusServer } from '../../src/api/index.ts';
import { Dashboard } from '../../src/dashboard/index.ts';
import type { NodeStatus } from '../../src/mta/egress/index.ts';
import { noBrowser, picture, Tester } from '../support/browser.ts';
import { freePort } from '../support/mta.ts';
import { startControl } from '../unit/api/control-fixture.ts';
import { FakeEgress } from '../unit/api/fake-egress.ts';

const [NODES, ISPS, CAMPAIGNS] = [100, 300, 10_000];
const MOST_BYTES = 1024 * 1024;

class LargeEgress extends FakeEgress {
  override nodes(): readonly NodeStatus[] {
    const [node] = super.nodes();
    const [lane] = node!.lanes;
    return Array.from({ length: NODES }, (_, n) => ({
      ...node!,
      name: `n${n}`,
      lanes: Array.from({ length: ISPS }, (_unused, i) => ({
        ...lane!,
        isp: `isp${i}`,
        key: `isp${i}`,
        waiting: undefined,
      })),
    }));
  }

  override ispOf(domain: string): string {
    return domain.replace('.test', '');
  }
}

async function startLarge(t: TestContext): Promise<string> {
  const { deps } = await startControl(t);
  const rows = Array.from({ length: NODES * ISPS }, (_, k) => ({
    account: 'acme',
    campaign: `c${k % CAMPAIGNS}`,
    sender: 'main',
    node: `n${k % NODES}`,
    domain: `isp${Math.floor(k / NODES)}.test`,
    new: 100_000 - k,
    retry: 0,
    proc: 0,
  }));
  const ended = { delivered: 10, hard_bounced: 0, undelivered: 0, removed: 0, soft_bounces: 0 };
  const totals = Array.from({ length: CAMPAIGNS }, (_, k) => ({
    account: 'acme',
    campaign: `c${k}`,
    accepted: 1_000_000,
    ...ended,
    complaints: 0,
    unsubscribes: 0,
  }));
  const { counters } = deps.queue.state;
  t.mock.method(counters, 'rows', () => rows.values());
  t.mock.method(counters, 'totals', () => totals.values());
  const server = createStatusServer({ ...deps, egress: new LargeEgress() }, new Dashboard());
  t.after(() => server.close());
  const port = await freePort('127.0.0.1');
  const listening = await server.listenTcp('127.0.0.1', port);
  assert.ok(listening.ok);
  return `http://127.0.0.1:${port}/`;
}

describe('the status page of a large site', { skip: noBrowser, timeout: 120_000 }, () => {
  test('draws the first part at once, and its boxes find all the rest', async (t) => {
    const url = await startLarge(t);
    const tester = await Tester.start(t);
    const page = await tester.open('about:blank');
    let most = 0;
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        most = Math.max(most, payload.length);
      }),
    );
    await page.goto(url);
    const tiles = page.locator('table.grid button');
    await tiles.first().waitFor();
    const drawn = await page.evaluate('performance.now()');
    const painted = await page.evaluate(
      "performance.getEntriesByName('first-contentful-paint')[0]?.startTime",
    );
    t.diagnostic(`first paint after ${String(painted)} ms, the grid is there after ${String(drawn)} ms`);
    assert.ok((await tiles.count()) <= 1_800, 'what is drawn is bounded');
    await picture(page, 'large');

    const grid = page.getByRole('searchbox', { name: 'ISP or node' });
    const last = page.getByRole('button', { name: /^isp299, n99: good/ });
    assert.equal(await last.count(), 0);
    await grid.fill('n99');
    await last.waitFor();
    assert.equal(await tiles.count(), ISPS, 'one node towards all ISPs');
    await grid.fill('SP299');
    await page.getByRole('button', { name: /^isp299, n0: good/ }).waitFor();
    await page
      .getByRole('button', { name: /^isp0, / })
      .first()
      .waitFor({ state: 'detached' });
    assert.equal(await tiles.count(), NODES, 'all nodes towards one ISP');
    await picture(page, 'large-isp');
    await grid.fill('');
    await page
      .getByRole('button', { name: /^isp0, / })
      .first()
      .waitFor();

    const campaign = page.getByRole('rowheader', { name: /^c9999 / });
    assert.equal(await campaign.count(), 0);
    await page.getByRole('searchbox', { name: 'campaign or account' }).fill('acme 9999');
    await campaign.waitFor();
    assert.equal(await page.getByRole('rowheader', { name: /^c\d+ / }).count(), 1);
    assert.ok(most > 0 && most < MOST_BYTES, `${most} bytes in a message`);
    assert.deepEqual(tester.problems, []);
  });
});
