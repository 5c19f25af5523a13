/** Debian's Chromium for tests of the status page; it talks to nobody but the program under test. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { scratch } from './mta.ts';

/** Longer than a busy machine takes for anything. */
const PATIENCE_MS = 90_000;
const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Why tests with a browser cannot run here; in CI they must. */
export const noBrowser: string | false =
  existsSync(CHROMIUM) || process.env['CI'] !== undefined
    ? false
    : `${CHROMIUM} is missing: apt-get install chromium`;

export class Tester {
  readonly #browser: Browser;
  readonly #t: TestContext;
  /** What went wrong in the pages: exceptions, and what the content security policy or the network refused. */
  readonly problems: string[] = [];

  private constructor(browser: Browser, t: TestContext) {
    this.#browser = browser;
    this.#t = t;
  }

  static async start(t: TestContext): Promise<Tester> {
    const dir = scratch(t);
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      headless: true,
      args: [...ARGUMENTS, `--disk-cache-dir=${join(dir, 'cache')}`],
      env: { ...process.env, HOME: dir, XDG_CONFIG_HOME: dir, XDG_CACHE_HOME: dir },
    });
    t.after(() => browser.close());
    return new Tester(browser, t);
  }

  /** A page with cookies and storage of its own. */
  async open(url: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ locale: 'en-GB', ...options });
    this.#t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.problems.push(message.text());
    });
    await page.goto(url);
    return page;
  }
}

/** Keeps a picture of the page in the folder that POSTRIDER_SCREENSHOTS names (`npm run screenshots`: docs), for people to look at. */
export async function picture(page: Page, name: string): Promise<void> {
  const dir = process.env['POSTRIDER_SCREENSHOTS'];
  if (dir === undefined) return;
  // A dialog covers the window only.
  await page.evaluate('scrollTo(0, 0)');
  const fullPage = (await page.locator('dialog[open]').count()) === 0;
  await page.screenshot({ path: join(dir, `${name}.png`), fullPage });
}

/** The buttons of rows can be pressed without moving their table aside, in a window of each width. */
export async function actsInView(page: Page, widths: readonly number[]): Promise<void> {
  const height = page.viewportSize()?.height ?? 900;
  for (const width of widths) {
    await page.setViewportSize({ width, height });
    assert.deepEqual(await actsAside(page), [], `out of view at ${width} px`);
  }
}

async function actsAside(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`[...document.querySelectorAll('.row-act button')]
    .filter((one) => {
      const [button, view] = [one, one.closest('.scroll, .window')].map((of) => of.getBoundingClientRect());
      return button.left < view.left || button.right > Math.min(view.right, innerWidth);
    })
    .map((one) => one.title)`);
}

/** Figures and signs are larger than nothing that they stand in. */
export async function whole(page: Page): Promise<void> {
  const cut = await page.evaluate<string[]>(`[...document.querySelectorAll('.value, .chip')]
    .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth)
    .map((one) => one.textContent)`);
  assert.deepEqual(cut, [], 'these do not fit');
}
