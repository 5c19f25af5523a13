/** The status page of a large site: 100 nodes, 300 ISPs, 10,000 campaigns, far more than a page can draw at once. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noBrowser, picture, Tester } from '../support/browser.ts';
import { ISPS, NODES, startLargeSite } from '../support/large-site.ts';

const MOST_BYTES = 1024 * 1024;

describe('the status page of a large site', { skip: noBrowser, timeout: 120_000 }, () => {
  test('draws the first part at once, and its boxes find all the rest', async (t) => {
    const url = await startLargeSite(t);
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
