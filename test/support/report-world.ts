/** A server with a return path domain, its MX, and a receiver of its mail: what tests of reports begin with. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Event } from '../../src/core/index.ts';
import type { Sink } from '../../src/testbed/index.ts';
import { freePort, Mta, ofType, ownAddress, type Settings } from './mta.ts';
import { receiver, routeTo } from './mta-world.ts';
import type { Address } from './reports.ts';

export interface World {
  readonly mta: Mta;
  readonly mx: Address;
  readonly sink: Sink;
}

/** `more`: other keys of the configuration. */
export async function openWorld(t: TestContext, mx: Settings = {}, more: Settings = {}): Promise<World> {
  const sink = await receiver(t, { keep: 100 });
  const host = ownAddress();
  const port = await freePort(host);
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    mx: { listen: [`${host}:${port}`], domains: ['bounce.test'], ...mx },
    senders: [
      {
        name: 'shop',
        nodes: [{ node: 'n1' }],
        strategies: { default: 'unlimited' },
        return_path_domain: 'bounce.test',
        list_unsubscribe: { mailto: true },
      },
    ],
    ...more,
  });
  return { mta, mx: { host, port }, sink };
}

/** Sends one message and gives what a receiver knows of it. */
export async function deliver(
  { mta, sink }: World,
  to: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly returnPath: string; readonly header: string; readonly delivered: Event }> {
  await mta.api('/v1/messages', {
    body: JSON.stringify({
      envelope: { from: 'news@shop.test', to: [to] },
      parts: { from: 'news@shop.test', subject: 's', text: 't', headers },
      account_id: 'acme',
      campaign_id: 'c1',
    }),
  });
  const events = await mta.until((all) => ofType(all, 'delivered').some(({ recipient }) => recipient === to));
  const { from, content } = sink.messages.find(({ recipients }) => recipients.includes(to))!;
  const header = content.toString().split('\r\n\r\n')[0]!;
  return {
    returnPath: from,
    header,
    delivered: events.find((one) => one.type === 'delivered' && one.recipient === to)!,
  };
}

export const read = ({ mta }: World, type: Event['type'], count = 1): Promise<Event[]> =>
  mta.until((events) => ofType(events, type).filter(({ time }) => time !== undefined).length >= count);

export const counts = async ({ mta }: World): Promise<Record<string, number>> => {
  const { body } = await mta.api('/v1/campaigns');
  const [campaign] = (body as { campaigns: Record<string, number>[] }).campaigns;
  return campaign!;
};

export const stopped = async (
  { mta }: World,
  recipient: string,
  account = '',
): Promise<string | undefined> => {
  const query = new URLSearchParams({ recipient, ...(account && { account_id: account }) });
  const { body } = await mta.api(`/v1/stop-list?${query.toString()}`);
  return (body as { entries: { source: string }[] }).entries[0]?.source;
};

/** Waits until exactly so many reports led to this, since the program started. */
export async function verdicts({ mta }: World, wanted: string, count: number): Promise<void> {
  const found = async (): Promise<number> => {
    const { body } = await mta.api('/v1/status');
    const { inbound } = body as { inbound: { reports: { verdict: string; count: number }[] } };
    const fitting = inbound.reports.filter(({ verdict }) => verdict === wanted);
    return fitting.reduce((sum, one) => sum + one.count, 0);
  };
  const deadline = performance.now() + 30_000;
  while ((await found()) < count && performance.now() < deadline) await delay(20);
  assert.equal(await found(), count, wanted);
}
