/** The status server of a site with 100 nodes, 300 ISPs and 10,000 campaigns: far more than a page can draw at once. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type ApiDependencies, createStatusServer } from '../../src/api/index.ts';
import { Dashboard } from '../../src/dashboard/index.ts';
import type { LaneStatus, NodeFigures, NodeStatus } from '../../src/mta/egress/index.ts';
import { startControl } from '../unit/api/control-fixture.ts';
import { FakeEgress } from '../unit/api/fake-egress.ts';
import { makeBusy } from './busy-site.ts';
import { freePort } from './mta.ts';

export const [NODES, ISPS, CAMPAIGNS] = [100, 300, 10_000];

class LargeEgress extends FakeEgress {
  override nodeFigures(): readonly NodeFigures[] {
    const node = super.nodes()[0]!;
    return Array.from({ length: NODES }, (_, n) => ({ ...node, name: `n${n}` }));
  }

  override nodes(): readonly NodeStatus[] {
    return this.nodeFigures().map((node) => ({ ...node, lanes: [...this.lanes()] }));
  }

  /** Those of one node: they are all the same. */
  override *lanes(): Generator<LaneStatus> {
    const lane = super.nodes()[0]!.lanes[0]!;
    for (let i = 0; i < ISPS; i++) yield { ...lane, isp: `isp${i}`, key: `isp${i}`, waiting: undefined };
  }

  override ispOf(domain: string): string {
    return domain.replace('.test', '');
  }
}

/** What a status page of it is made from. */
export async function largeSite(t: TestContext): Promise<ApiDependencies> {
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
  // In place and not as mocks, which keep a record of each call.
  Object.assign(counters, {
    rows: () => rows.values(),
    totals: () => totals.values(),
    totalsOf: (_: string, campaign: string) => totals[Number(campaign.slice(1))],
  });
  return { ...deps, egress: new LargeEgress() };
}

/** Gives the address of its page, on which it is seen sending. */
export async function startLargeSite(t: TestContext): Promise<string> {
  const deps = await largeSite(t);
  const dashboard = new Dashboard();
  await makeBusy(deps, dashboard);
  const server = createStatusServer(deps, dashboard);
  t.after(() => server.close());
  const port = await freePort('127.0.0.1');
  const listening = await server.listenTcp('127.0.0.1', port);
  assert.ok(listening.ok);
  return `http://127.0.0.1:${port}/`;
}

/** In the page, before anything else: calls `gridPainted` with the time when the first cells have been painted. */
export const NOTE_GRID = `new MutationObserver((_, observer) => {
  if (!document.querySelector('table.grid button')) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => gridPainted(performance.now())));
}).observe(document, { childList: true, subtree: true });`;
