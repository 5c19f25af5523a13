/** The status page of a large site: 100 nodes, 300 ISPs, 10,000 campaigns, far more than a page can draw at once. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noBrowser, picture, Tester, whole } from '../support/browser.ts';
import { CAMPAIGNS, ISPS, NODES, startLargeSite } from '../support/large-site.ts';

const MOST_BYTES = 512 * 1024;
const MOST_TILES = 400;

describe('the status page of a large site', { skip: noBrowser, timeout: 120_000 }, () => {
  test('draws what is in view, and scrolling and its boxes lead to all the rest', async (t) => {
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
    const grid = page.getByRole('region', { name: 'ISPs and nodes' });
    const drawn = async (): Promise<void> => {
      const count = await tiles.count();
      assert.ok(count > 0 && count <= MOST_TILES, `${count} cells are drawn`);
    };
    await drawn();
    assert.equal(await grid.getByRole('table').getAttribute('aria-rowcount'), String(ISPS + 1));
    await whole(page);
    await picture(page, 'status-page-large');

    const far = page.getByRole('button', { name: new RegExp(`^isp299, n99: good`) });
    assert.equal(await far.count(), 0);
    await page.evaluate("document.querySelector('.window').scrollTo(1e6, 1e6)");
    await far.waitFor();
    await drawn();
    // The head of the names stays above them.
    const [head, row] = await Promise.all([
      grid.getByRole('columnheader', { name: 'ISP', exact: true }).boundingBox(),
      grid.getByRole('rowheader', { name: 'isp299' }).boundingBox(),
    ]);
    assert.equal(head?.x, row?.x);
    await picture(page, 'status-page-large-corner');

    const words = page.getByRole('searchbox', { name: 'ISP or node' });
    await words.fill('n99');
    await page.getByRole('button', { name: /^isp0, n99: good/ }).waitFor();
    await page.getByRole('columnheader', { name: 'n98' }).waitFor({ state: 'detached' });
    await words.fill('SP299');
    await page.getByRole('button', { name: /^isp299, n0: good/ }).waitFor();
    await page
      .getByRole('button', { name: /^isp0, / })
      .first()
      .waitFor({ state: 'detached' });
    assert.equal(await grid.getByRole('table').getAttribute('aria-colcount'), String(NODES + 3));
    await words.fill('');
    await page
      .getByRole('button', { name: /^isp0, / })
      .first()
      .waitFor();

    const list = page.getByRole('region', { name: 'Campaigns' });
    const campaign = page.getByRole('rowheader', { name: /^c9999 / });
    assert.equal(await campaign.count(), 0);
    await page.evaluate("document.querySelector('.campaigns').parentElement.scrollTo(0, 1e6)");
    await list.locator(`tr[aria-rowindex="${CAMPAIGNS + 1}"]`).waitFor();
    await page.getByRole('searchbox', { name: 'campaign or account' }).fill('acme 9999');
    await campaign.waitFor();
    await page.getByRole('rowheader', { name: /^c0 / }).waitFor({ state: 'detached' });
    assert.equal(await page.getByRole('rowheader', { name: /^c\d+ / }).count(), 1);
    assert.ok(most > 0 && most < MOST_BYTES, `${most} bytes in a message`);
    assert.deepEqual(tester.problems, []);
  });
});
