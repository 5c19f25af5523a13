/**
 * `npm run bench:page`: how soon the status page of a large site (100 nodes, 300 ISPs, 10,000 campaigns) is useful in
 * Debian's Chromium: the first paint, and the first cells of the grid on the screen. Each time a browser context of its
 * own with nothing cached. Exit status 1 when the median is above the target. Before that, what its server spends on it
 * (large-site.ts).
 */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { parseArgs } from 'node:util';
import { noBrowser, Tester } from '../test/support/browser.ts';
import { CAMPAIGNS, ISPS, NODES, NOTE_GRID, startLargeSite } from '../test/support/large-site.ts';
import { describeMachine } from './machine.ts';
import { testLargeSite } from './large-site.ts';
import { median, table } from './report.ts';
import { writeStatusPageSection } from './status-page-results.ts';

const TARGET_MS = 1_000;
const PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime";

const { values } = parseArgs({
  options: { times: { type: 'string', default: '9' }, write: { type: 'boolean', default: false } },
});
const machine = describeMachine(tmpdir());

testLargeSite(machine, values.write);

test('the page of a large site', { skip: noBrowser, timeout: 170_000 }, async (t) => {
  const url = await startLargeSite(t);
  const tester = await Tester.start(t);
  const seen: { first: number; grid: number }[] = [];
  for (let i = 0; i < Number(values.times); i++) {
    const page = await tester.open('about:blank');
    await page.addInitScript(NOTE_GRID);
    const grid = new Promise<number>((resolve) => void page.exposeFunction('gridPainted', resolve));
    await page.goto(url);
    seen.push({ grid: await grid, first: await page.evaluate<number>(PAINTED) });
    await page.context().close();
  }
  const of = (what: 'first' | 'grid'): string[] => {
    const all = seen.map((one) => one[what]);
    return [median(all), Math.min(...all), Math.max(...all)].map((ms) => ms.toFixed(0));
  };
  const text = [
    ...table([
      ['ms after the request', 'median', 'smallest', 'largest'],
      ['first paint', ...of('first')],
      ['grid on the screen', ...of('grid')],
    ]),
    '',
    `${seen.length} times in Chromium, nothing cached; ${NODES} nodes, ${ISPS} ISPs, ${CAMPAIGNS.toLocaleString('en-US')} campaigns; server and browser on the same cores. Target: the grid within ${TARGET_MS} ms.`,
  ];
  console.log(text.join('\n'));
  if (values.write) writeStatusPageSection('paint', machine, text);
  assert.ok(median(seen.map(({ grid }) => grid)) <= TARGET_MS, 'later than the target');
});
