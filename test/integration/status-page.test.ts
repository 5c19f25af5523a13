/** The status page in a real browser, served by the real program while mail flows. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Locator, Page } from 'playwright-core';
import { actsInView, noBrowser, picture, whole } from '../support/browser.ts';
import { contrastOf } from '../support/contrast.ts';
import { english } from '../support/english.ts';
import type { AuditLogView } from '../../src/api/index.ts';
import { type Mta, ofType } from '../support/mta.ts';
import { DOMAINS, NODES, send, signIn, signInInRussian, startWorld } from '../support/status-page-world.ts';

/** As the log of operators calls what the buttons do. */
const LOGGED: Readonly<Record<string, string>> = {
  Hold: 'queue hold',
  Release: 'queue release',
  'Retry now': 'queue retry',
  Purge: 'queue purge',
  Lock: 'node lock',
  Unlock: 'node unlock',
  Drain: 'node drain',
  Resume: 'node resume',
};
/** What was confirmed, in order. */
const confirmed: string[] = [];

/**
 * Chooses an action in the open dialog and sees what it touches; cancels it, chooses it again, confirms, and waits for what is
 * then said.
 */
async function confirm(page: Page, action: string, then: RegExp): Promise<void> {
  const dialog = page.getByRole('dialog');
  const preview = dialog.getByText(/\d deliveries in the queue/);
  const choose = async (): Promise<void> => {
    await dialog.getByRole('button', { name: action, exact: true }).click();
    await preview.waitFor();
  };
  await choose();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await preview.waitFor({ state: 'detached' });
  await choose();
  await dialog.getByRole('button', { name: 'Confirm' }).click();
  await dialog.getByText(then).first().waitFor();
  confirmed.push(LOGGED[action]!);
}

async function act(page: Page, target: string, action: string): Promise<void> {
  await page.getByRole('button', { name: new RegExp(`^Act on .*${target}$`) }).click();
  await confirm(page, action, /^done/);
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
}

/** Every text can be read (AA), in the look that the page has now. */
async function readable(page: Page): Promise<void> {
  const { looked, faults } = await contrastOf(page);
  assert.ok(looked > 30, `only ${looked} texts were looked at`);
  assert.deepEqual(faults, []);
}

/** Presses Tab until the focus is on what has this label. */
async function tabTo(page: Page, label: RegExp): Promise<void> {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate<string>(
      "document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''",
    );
    if (label.test(focused)) return;
  }
  assert.fail(`Tab does not reach ${String(label)}`);
}

const actionsOf = async (mta: Mta): Promise<readonly string[]> => {
  const { body } = await mta.api('/v1/audit-log?limit=100');
  const { entries } = body as AuditLogView;
  return entries
    .filter(({ actor, result }) => actor.kind === 'page' && result === 'done')
    .map(({ action }) => action);
};

describe('the status page', { skip: noBrowser, timeout: 600_000 }, () => {
  test('all of it', async (t) => {
    const { mta, url, tester } = await startWorld(t);
    const page = await tester.open(url, { viewport: { width: 1280, height: 900 } });
    await page.getByText('Idle: nothing waits').first().waitFor();
    await send(mta, 'spring-sale', 400);
    await send(mta, 'newsletter-48', 240);
    await mta.settled(290);
    await page.getByText(/^\s*Sending/).waitFor();

    await t.test('before the sign-in it names no recipient and repeats no receiver', async () => {
      await page.getByRole('button', { name: /^greymail, n1: stuck/ }).waitFor();
      // The last row, of a grid that was not there when the page was opened.
      await page.getByRole('button', { name: /^strictpost, n3/ }).waitFor();
      // How old the oldest is, before a sweep has looked.
      const oldest = page
        .getByRole('row', { name: /^greymail/ })
        .locator('td')
        .nth(1);
      await oldest.filter({ hasText: /^\d+ (s|min)$/ }).waitFor();
      const text = (await page.textContent('body')) ?? '';
      assert.doesNotMatch(text, /@|Greylisted/);
      assert.match(text, /451 4\.7\.1/);
      // How far it is, its speed, and when it will be done.
      const end = /([\d.]+ (s|min|h)|not before \d\d:\d\d|not known)/.source;
      const far = new RegExp(`^shop\\d+ % / 6[34]\\d[\\d.,]+/(s|min)${end}`);
      await page.getByRole('row', { name: /^shop/ }).filter({ hasText: far }).waitFor();
      await picture(page, 'status-page-before-sign-in');
    });
    await t.test('a wrong token is refused, the right one opens the rest', async () => {
      await page.getByRole('button', { name: 'Sign in' }).first().click();
      await page.getByLabel('Token').fill('wrong');
      await page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('this is not the token').waitFor();
      await picture(page, 'status-page-sign-in');
      await page.keyboard.press('Escape');
      await signIn(page);
      await page.getByText('Greylisted, try again later').first().waitFor();
      await page.getByText(/^much is put off · greymail$/).waitFor();
      await page
        .getByText(/^greymail: \d+ of \d+ attempts were put off \(.* %\) in \d+ s; see /)
        .first()
        .waitFor();
      await picture(page, 'status-page');
    });
    await t.test('a cell opens its last refusals, events and settings', async () => {
      await page.getByRole('button', { name: /^greymail, n2/ }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('451 4.7.1 Greylisted').first().waitFor();
      const lines = readFileSync(mta.configFile, 'utf8').split('\n');
      const line = lines.findIndex((one) => one.trim() === 'messages_per_connection: 100') + 1;
      await page
        .getByRole('row', { name: `messages_per_connection 100 ${mta.configFile}:${line}`, exact: true })
        .waitFor();
      const [errors, events] = [0, 1].map((i) =>
        dialog.locator('table.events').nth(i).locator('tbody tr'),
      ) as [Locator, Locator];
      await events.nth(49).waitFor();
      assert.deepEqual([await errors.count(), await events.count()], [10, 50], 'the last of many');
      for (const text of [...(await errors.allTextContents()), ...(await events.allTextContents())])
        assert.match(text, /greymail\.testgreymailn2/);
      for (const text of await errors.allTextContents())
        assert.match(text, /soft_bounce.*451 4\.7\.1 Greylisted/);
      await picture(page, 'status-page-cell');
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    });
    await t.test('every cell does, and no setting is without its line or said to be a default', async () => {
      const lines = readFileSync(mta.configFile, 'utf8').split('\n');
      const tiles = page.locator('table.grid .tile');
      const count = await tiles.count();
      assert.equal(count, NODES.length * DOMAINS.length);
      const dialog = page.getByRole('dialog');
      for (let i = 0; i < count; i++) {
        const [, isp, node] = /^(\w+), (\w+):/.exec((await tiles.nth(i).getAttribute('aria-label')) ?? '')!;
        await tiles.nth(i).click();
        await dialog.getByRole('heading', { name: `${isp} · ${node}` }).waitFor();
        await dialog.getByRole('heading', { name: 'Last events' }).waitFor();
        const settings = await dialog.locator('table.settings tr').allTextContents();
        assert.ok(settings.length > 10, `${isp} ${node}: ${settings.length} settings`);
        for (const text of settings) {
          const [, file, line] = /(\/\S+\.yaml):(\d+)$/.exec(text) ?? [];
          const key = /^[\w.]+?(?=\d|[a-z]*$|$)/.exec(text)?.[0] ?? '';
          if (file === mta.configFile) assert.ok(lines[Number(line) - 1]!.trim() !== '', `${text} of ${key}`);
          else assert.match(text, /default$|built in|\.yaml:\d+$/, text);
        }
        const events = await dialog.locator('table.events tbody tr').allTextContents();
        for (const text of events) assert.ok(text.includes(`${isp}${node}`), `${isp} ${node}: ${text}`);
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
      }
    });
    await t.test('a campaign is held and released: first what it touches, then what came of it', async () => {
      const row = page.getByRole('row', { name: /^spring-sale/ });
      await act(page, 'campaign_id=spring-sale', 'Hold');
      await row
        .locator('td')
        .nth(6)
        .getByText(/^[1-9]/)
        .waitFor();
      await act(page, 'campaign_id=spring-sale', 'Release');
      await row.locator('td').nth(6).getByText(/^0$/).waitFor();
    });
    await t.test('nothing is removed without the confirmation', async () => {
      const queued = async (): Promise<number> => (await mta.status()).queue.total;
      await page.getByRole('button', { name: 'Act on account_id=acme campaign_id=newsletter-48' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('button', { name: 'Purge' }).click();
      await dialog.getByText(/^account_id=acme campaign_id=newsletter-48: [1-9]\d* deliveries/).waitFor();
      await picture(page, 'status-page-purge');
      const before = await queued();
      await dialog.getByRole('button', { name: 'Cancel' }).click();
      assert.ok((await queued()) > before / 2);
      await dialog.getByRole('button', { name: 'Purge' }).click();
      await dialog.getByRole('button', { name: 'Confirm' }).click();
      // What is on its way just now ends by itself before the job is done.
      await dialog.getByText(/^(done|under way)$/).waitFor();
      confirmed.push('queue purge');
      await dialog.getByRole('button', { name: 'Close' }).click();
      await page
        .getByRole('row', { name: /^newsletter-48/ })
        .getByText(/^(9\d|100) %/)
        .waitFor();
    });
    await t.test('a node is locked towards an ISP, and the cell says by whom and for how long', async () => {
      await page.getByRole('button', { name: /^slowbox, n1/ }).click();
      await confirm(page, 'Lock', /locked, .* left, by an operator/);
      await picture(page, 'status-page-cell-locked');
      // What is left is told by the clock of the server, whatever that of the browser says.
      const other = await tester.open('about:blank');
      await other.clock.setSystemTime(Date.now() + 86_400_000);
      await other.goto(url);
      await other.getByTitle(/stuck: locked, 2 h left, by an operator/).waitFor();
      await other.close();
      await confirm(page, 'Unlock', /next message in/);
      await page.keyboard.press('Escape');
    });
    await t.test('what waits for its next attempt is tried now', async () => {
      await page.getByRole('button', { name: /^greymail, n2/ }).click();
      const attempts = async (): Promise<number> =>
        ofType(await mta.events('after=0&type=soft_bounce'), 'soft_bounce').length;
      const before = await attempts();
      await confirm(page, 'Retry now', /^done/);
      await page.keyboard.press('Escape');
      await mta.until((events) => ofType(events, 'soft_bounce').length > before);
    });
    await t.test('everything can be done with the keyboard alone', async () => {
      await page.evaluate('document.activeElement?.blur()');
      await tabTo(page, /^greymail, n1/);
      await page.keyboard.press('Enter');
      const dialog = page.getByRole('dialog');
      await dialog.waitFor();
      await tabTo(page, /^Hold$/);
      await page.keyboard.press('Enter');
      await dialog.getByText(/\d deliveries in the queue/).waitFor();
      await picture(page, 'status-page-hold');
      await tabTo(page, /^Confirm$/);
      await page.keyboard.press('Enter');
      await dialog.getByText(/^done/).waitFor();
      await tabTo(page, /^Release$/);
      await page.keyboard.press('Enter');
      await dialog.getByText(/\d deliveries in the queue/).waitFor();
      await tabTo(page, /^Confirm$/);
      await page.keyboard.press('Enter');
      await dialog.getByText(/^done/).waitFor();
      confirmed.push('queue hold', 'queue release');
      await page.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
    });
    await t.test('all texts can be read', () => readable(page));
    await t.test('a node is drained and resumed', async () => {
      const row = page.getByRole('row', { name: /^n3/ });
      await act(page, 'node=n3', 'Drain');
      await row.getByText('draining').waitFor();
      await row.getByText(/^since \d\d:\d\d$/).waitFor();
      await act(page, 'node=n3', 'Resume');
      await row.getByText('running').waitFor();
    });
    await t.test(
      'the log of operators has each action that was confirmed, and none that was cancelled',
      async () => {
        assert.deepEqual([...new Set(confirmed)].sort(), Object.values(LOGGED).sort());
        assert.deepEqual((await actionsOf(mta)).toReversed(), confirmed);
      },
    );
    await t.test('all that the page loads is small', async () => {
      const sizes = await Promise.all(
        ['', 'page.js', 'page.css', 'icon.svg'].map(async (path) => {
          const answer = await fetch(`${url}${path}`);
          assert.match(answer.headers.get('content-security-policy') ?? '', /script-src 'self';/);
          return gzipSync(await answer.text()).length;
        }),
      );
      assert.ok(sizes.reduce((a, b) => a + b) < 150_000, sizes.join(' + '));
    });
    await t.test('a request that does not come from the page changes nothing', async () => {
      const status = await page.evaluate<number>(
        `fetch('/v1/nodes/n1/drain', { method: 'POST' }).then((answer) => answer.status)`,
      );
      assert.equal(status, 403);
      tester.problems.length = 0;
    });
    await t.test('a message is found by its recipient, with every reply', async () => {
      await page.getByPlaceholder(/recipient/).fill('r1@greymail.test');
      await page.getByRole('button', { name: 'Find' }).click();
      await page.locator('.delivery').first().getByText('Greylisted').first().waitFor();
      await page.getByText('Found: 2').waitFor();
      await picture(page, 'status-page-look-up');
    });
    await t.test(
      'of many deliveries the first are shown, and the others when they are asked for',
      async () => {
        const found = page.locator('.delivery');
        await page.getByPlaceholder(/recipient/).fill('newsletter-48');
        await page.getByRole('button', { name: 'Find' }).click();
        await page.getByText('The first 20, the oldest first; there are more.').waitFor();
        assert.equal(await found.count(), 20);
        await page.getByRole('button', { name: 'Show more' }).click();
        await page.getByText('The first 40, the oldest first').waitFor();
        const ids = await found.locator('code').allTextContents();
        const deliveries = ids.filter((id) => /^[\da-z]+\.\d+$/.test(id));
        assert.deepEqual([deliveries.length, new Set(deliveries).size], [40, 40]);
        // The deliveries of a message come in pages too.
        await page.getByPlaceholder(/recipient/).fill(deliveries[0]!.split('.')[0]!);
        await page.getByRole('button', { name: 'Find' }).click();
        await page.getByText('The first 20, the oldest first').waitFor();
        // What went on the stop list meanwhile was not accepted any more.
        for (let n = 40; n <= 220; n += 20) {
          await page.getByRole('button', { name: 'Show more' }).click();
          await page.getByText(`The first ${n},`).waitFor();
        }
        await page.getByRole('button', { name: 'Show more' }).click();
        const all = await page.getByText(/^Found: 2[234]\d$/).textContent();
        assert.equal(all, `Found: ${await found.count()}`);
        assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0);
      },
    );
    await t.test('a frequent refusal leads to an example with its reply', async () => {
      await page.getByRole('button', { name: 'An example of No such user here' }).click();
      await page.locator('.delivery').getByText('550 5.1.1 No such user here').waitFor();
      const end = await page.locator('.delivery').first().locator('li').last().textContent();
      assert.match(end ?? '', / hard_bounce$/, 'its end, without the number of its event');
    });
    await t.test('the events come by themselves, and can be filtered', async () => {
      const events = page.locator('#events');
      await events.getByRole('combobox').selectOption('hard_bounce');
      await events.locator('tbody tr').first().waitFor();
      assert.deepEqual([...new Set(await events.locator('.chip').allTextContents())], ['hard_bounce']);
    });
    await t.test('in Russian, dark and on a phone nothing overflows', async () => {
      const phone = await tester.open(url, {
        locale: 'ru-RU',
        colorScheme: 'dark',
        viewport: { width: 390, height: 844 },
      });
      await phone.getByText('Провайдеры и узлы').first().waitFor();
      await picture(phone, 'status-page-phone-russian');
      await readable(phone);
      const attention = (await phone.locator('.attention').textContent()) ?? '';
      assert.match(attention, /стратегия careful: следующее письмо через \d+ с/);
      assert.doesNotMatch(attention, /next|strategy|running/);
      await whole(phone);
      const overflow = await phone.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      assert.ok(overflow <= 0, `${overflow} px too wide`);
      await signInInRussian(phone);
      await phone.getByRole('row', { name: /^n1/ }).locator('.row-act').waitFor();
      await actsInView(phone, [390]);
      await picture(phone, 'status-page-phone-signed-in');
    });
    await t.test('in Russian nothing is in English but names and what receivers said', async () => {
      const russian = await tester.open(url, { locale: 'ru-RU', viewport: { width: 1280, height: 900 } });
      await signInInRussian(russian);
      await russian.locator('#events tbody tr').first().waitFor();
      await picture(russian, 'status-page-russian');
      await actsInView(russian, [1024, 1920, 1280]);
      await russian.getByPlaceholder(/получатель/).fill('newsletter-48');
      await russian.getByRole('button', { name: 'Найти' }).click();
      await russian.getByRole('button', { name: 'Показать ещё' }).click();
      await russian.getByText('Первые 40').waitFor();
      assert.deepEqual(await english(russian), []);
      // Of those where mail waits: others leave the grid minutes after their last attempt.
      for (const cell of [/^greymail, n2/, /^slowbox, n1/]) {
        await russian.getByRole('button', { name: cell }).click();
        const dialog = russian.getByRole('dialog');
        await dialog.getByRole('heading', { name: 'Последние события' }).waitFor();
        await dialog.getByRole('button', { name: 'Заблокировать' }).click();
        await dialog.getByText(/доставок в очереди: \d/).waitFor();
        assert.deepEqual(await english(russian), []);
        await russian.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
      }
      const error = { code: 'unavailable', message: 'the store takes nothing now' };
      await russian.route('**/v1/queue/purge', (route) => route.fulfill({ status: 503, json: { error } }));
      await russian.getByRole('button', { name: /^greymail, n2/ }).click();
      await russian.getByRole('dialog').getByRole('button', { name: 'Удалить' }).click();
      await russian.getByText(`Не получилось: сейчас невозможно: ${error.message}`).waitFor();
      await russian.close();
      tester.problems.length = 0;
    });
    await t.test('dark', async () => {
      await page.getByLabel('Theme').selectOption('dark');
      await picture(page, 'status-page-dark');
      await readable(page);
    });
    await t.test('a lost connection is said, and that it is back', async () => {
      await mta.kill('SIGKILL');
      await page.getByText('The connection to the engine is lost').waitFor();
      // Nobody who only glances at it believes that it sends.
      await page.getByText('Not known now').waitFor();
      assert.equal(await page.getByText(/^\s*Sending/).count(), 0);
      await picture(page, 'status-page-lost');
      await readable(page);
      tester.problems.length = 0;
      await mta.start();
      await page.getByText('Connected again').waitFor();
      await picture(page, 'status-page-back');
    });
  });
});
