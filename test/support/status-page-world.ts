/** A program that serves its status page while mail flows: to receivers that take it, put it off and refuse some of it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { Tester } from './browser.ts';
import { freePort, Mta } from './mta.ts';
import { batch, receiver, routeTo } from './mta-world.ts';

export const TOKEN = 'token-of-the-status-page';
export const DOMAINS = ['openpost.test', 'greymail.test', 'slowbox.test', 'strictpost.test'];
export const NODES = ['n1', 'n2', 'n3'];

interface World {
  readonly mta: Mta;
  readonly url: string;
  readonly tester: Tester;
}

export async function startWorld(t: TestContext): Promise<World> {
  const open = await receiver(t);
  const grey = await receiver(t, {
    rules: [{ phase: 'rcpt', action: { code: 451, enhanced: '4.7.1', text: 'Greylisted, try again later' } }],
  });
  const strict = await receiver(t, { unknownUsers: ['r3*@strictpost.test'] });
  const port = await freePort('127.0.0.1');
  const mta = await Mta.prepare(t, {
    status: { listen: `127.0.0.1:${port}`, token_file: 'status.token' },
    // Greylisting alerts within seconds.
    alerts: { min_volume: 100 },
    routes: [routeTo(grey, 'greymail.test'), routeTo(strict, 'strictpost.test'), routeTo(open)],
    nodes: NODES.map((name, i) => ({ name, address: `127.0.0.${i + 2}`, hostname: `${name}.test` })),
    isps: DOMAINS.map((domain) => ({ name: domain.split('.')[0], domains: [domain] })),
    strategies: [
      { name: 'fast', concurrent_connections: 5, messages_per_connection: 100 },
      { name: 'careful', rate: '1/30s', concurrent_connections: 2, messages_per_connection: 50 },
    ],
    senders: [
      {
        name: 'shop',
        nodes: NODES.map((node) => ({ node })),
        strategies: { default: 'fast', slowbox: 'careful' },
      },
    ],
  });
  writeFileSync(join(mta.dir, 'status.token'), `${TOKEN}\n`, { mode: 0o600 });
  await mta.start();
  return { mta, url: `http://127.0.0.1:${port}/`, tester: await Tester.start(t) };
}

export const send = async (mta: Mta, campaign: string, count: number): Promise<void> => {
  const [header = '', ...lines] = batch(count, (i) => DOMAINS[i % DOMAINS.length]!).split('\n');
  const labelled = { ...(JSON.parse(header) as object), campaign_id: campaign, account_id: 'acme' };
  const body = [JSON.stringify(labelled), ...lines].join('\n');
  const answer = await mta.api('/v1/batches', { type: 'application/x-ndjson', body });
  assert.equal(answer.status, 200, answer.text);
};

export async function signIn(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).first().click();
  await page.getByLabel('Token').fill(TOKEN);
  await page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

export async function signInInRussian(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Войти' }).first().click();
  await page.getByLabel('Токен').fill(TOKEN);
  await page.getByRole('dialog').getByRole('button', { name: 'Войти' }).click();
  await page.getByRole('button', { name: 'Выйти' }).waitFor();
}
