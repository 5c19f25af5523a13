/**
 * Makes a large site one that has been sending for hours, so that its page shows what such a page shows: all figures are
 * of one flow of PER_SECOND deliveries, and three cells of tens of thousands are in trouble.
 */
import type { ApiDependencies } from '../../src/api/index.ts';
import type { Dashboard } from '../../src/dashboard/index.ts';
import type { LaneStatus, Lock, NodeFigures } from '../../src/mta/egress/index.ts';
import type { EventDraft } from '../../src/queue/index.ts';
import { accept, type Rig } from '../unit/queue/fixture.ts';
import type { FakeClock } from './fake-clock.ts';

const PER_SECOND = 60;
const HOUR_MS = 3_600_000;
const UP_MS = 50 * HOUR_MS;
/** Mail goes to so many of the ISPs in these minutes. */
const ACTIVE_ISPS = 40;
/** It is noon, and the oldest that waits came half an hour ago. */
const NOON_MS = 12 * HOUR_MS;
const OLDEST_MS = HOUR_MS / 2;
const CAMPAIGN_SIZE = 1_000;
const HARD = 7;

const REFUSAL = {
  code: 421,
  enhanced: '4.7.0',
  text: 'Too many messages from your address, slow down',
} as const;

const NO_USER = { code: 550, enhanced: '5.1.1', text: 'No such user here', phase: 'rcpt' } as const;

/** What is wrong where. */
const LOCKED = { node: 'n12', isp: 'isp3' };
const SLOWED = { node: 'n40', isp: 'isp8' };
const REFUSED = { node: 'n7', isp: 'isp15' };

export async function makeBusy(deps: ApiDependencies, dashboard: Dashboard): Promise<void> {
  const clock = deps.clock as FakeClock;
  clock.advance(NOON_MS - OLDEST_MS);
  await accept({ queue: deps.queue, clock } as Rig);
  clock.advance(OLDEST_MS);
  const now = clock.now();
  fillQueue(deps, now);
  const status = deps.status();
  Object.assign(deps, {
    status: () => ({ ...status, started: now - UP_MS }),
    egress: busyEgress(deps.egress, now),
  });
  dashboard.onCommit({ events: [...lastHour(now)], ms: 1 });
}

/** From 30 deliveries of a node towards the largest ISP to one towards the smallest. */
function fillQueue({ queue }: ApiDependencies, now: number): void {
  const { counters, speeds, endedToday } = queue.state;
  const rows = [...counters.rows()].map((row, k) => {
    const isp = Number(/\d+/.exec(row.domain)![0]);
    return {
      ...row,
      new: 1 + Math.floor((299 - isp) / 10),
      oldest: now - Math.min(OLDEST_MS, (20 + (k % 1_777)) * 1_000),
    };
  });
  const perSecond = PER_SECOND / rows.length;
  const queued = new Map<string, number>();
  for (const { campaign, new: count } of rows) queued.set(campaign, (queued.get(campaign) ?? 0) + count);
  const totals = [...counters.totals()].map((one) => ({
    ...one,
    accepted: CAMPAIGN_SIZE,
    hard_bounced: HARD,
    delivered: CAMPAIGN_SIZE - HARD - (queued.get(one.campaign) ?? 0),
  }));
  Object.assign(counters, { rows: () => rows.values(), totals: () => totals.values() });
  const speedsOf = rows.map((row) => ({ ...row, perSecond }));
  Object.assign(speeds, {
    rows: () => speedsOf.values(),
    ofCampaign: () => PER_SECOND / totals.length,
  });
  Object.assign(endedToday, {
    of: () => (PER_SECOND * NOON_MS) / 1_000,
    senders: () => ['main'],
  });
}

/** The same with sessions, a lock, a lowered speed. */
function busyEgress(egress: ApiDependencies['egress'], now: number): ApiDependencies['egress'] {
  const nodes = egress.nodeFigures().map((node, n): NodeFigures => ({
    ...node,
    address: `192.0.2.${n + 1}`,
    sessions: 40 + ((n * 7) % 31),
    delivered: 108_000 + ((n * 7_919) % 9_000),
    attempts: 111_000 + ((n * 7_919) % 9_000),
    lastError: undefined,
  }));
  const slowed: NonNullable<LaneStatus['slowed']> = {
    ...{ perSecond: 0.2, known: 0.2, holdMs: 0, wallMs: 0, failed: 0 },
    ...{ changedAt: now, cutAt: now - 9 * 60_000, cutReason: '', reason: '' },
  };
  const laneAt = (node: string, lane: LaneStatus): LaneStatus => {
    const at = (place: { readonly node: string; readonly isp: string }): boolean =>
      place.node === node && place.isp === lane.isp;
    if (at(LOCKED)) return { ...lane, sessions: 0, waiting: 'locked' };
    return at(SLOWED) ? { ...lane, slowed } : lane;
  };
  const locks: readonly Pick<Lock, 'record'>[] = [
    {
      record: {
        ...LOCKED,
        ...{ scope: 'node_isp', lane: LOCKED.isp, rule: 'blocked', level: 0, waiting: 'wait' },
        since: now - 13 * 60_000,
        until: now + 17 * 60_000,
        reason: '',
      },
    },
  ];
  return Object.assign(Object.create(egress) as typeof egress, {
    nodeFigures: () => nodes,
    lanes: ({ node = '' }: { readonly node?: string }) =>
      [...egress.lanes({ node })].map((lane) => laneAt(node, lane)),
    control: { ...egress.control, locks: () => locks },
  });
}

/** Deliveries of each second, more by day than an hour ago, with the refusals that are usual, and those of two cells. */
function* lastHour(now: number): Generator<EventDraft> {
  let count = 0;
  for (let second = 3_600; second > 0; second--) {
    const time = now - second * 1_000;
    const wave = 0.75 + 0.25 * Math.cos((second / 3_600) * Math.PI) + 0.04 * Math.sin(second / 97);
    for (let i = 0; i < Math.round(PER_SECOND * wave); i++, count++) {
      const place = { node: `n${count % 100}`, isp: `isp${Math.floor(count / 100) % ACTIVE_ISPS}` };
      const is = (cell: typeof LOCKED): boolean => place.node === cell.node && place.isp === cell.isp;
      if (is(LOCKED)) continue;
      if (is(REFUSED) || is(SLOWED)) yield refusal(place, time);
      else if (count % 211 === 0) yield { ...refusal(place, time), type: 'hard_bounce', reply: NO_USER };
      else if (count % 53 === 0) yield refusal(place, time);
      else yield { type: 'delivered', time, ...place };
      if (count % 5_003 === 0) yield { type: 'complaint', time, ...place };
    }
  }
}

const refusal = (place: { readonly node: string; readonly isp: string }, time: number): EventDraft => ({
  type: 'soft_bounce',
  time,
  ...place,
  reply: { ...REFUSAL, phase: 'mail' },
  bounce: { class: 'soft', category: 'rate_limited' },
});
