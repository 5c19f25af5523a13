/** The figures of the queue's benchmark as tables. */
import { formatSize } from '../../src/core/index.ts';
import { table, whole } from '../report.ts';
import type { Campaign } from './campaign.ts';
import type { CampaignMemory } from './campaign-memory.ts';
import type { Costs } from './costs.ts';
import type { Operation } from './jobs.ts';
import type { Depth } from './program.ts';

const seconds = (ms: number): string => (ms / 1000).toFixed(1);

export const programTable = (depths: readonly Depth[]): string[] =>
  table([
    ['the program', ...depths.map(({ size }) => `${whole(size)} queued`)],
    ['injected, recipients/s', ...depths.map((one) => whole(one.recipientsPerSecond))],
    ['CPU per recipient injected, us', ...depths.map((one) => one.takenCpuUs.toFixed(1))],
    ['RssAnon peak while injecting', ...depths.map((one) => formatSize(one.whileTaking.rssAnonBytes))],
    ['size of the store', ...depths.map((one) => formatSize(one.storeBytes))],
    ['start of the process to first delivery, ms', ...depths.map((one) => whole(one.firstMs))],
    ['RssAnon peak after the start', ...depths.map((one) => formatSize(one.after.rssAnonBytes))],
    [
      `delivered/s, first ${whole(depths[0]!.delivered)} after the start`,
      ...depths.map((one) => whole(one.deliveredPerSecond)),
    ],
    ['then held: first answer, ms', ...depths.map((one) => (one.rest ? whole(one.rest.heldMs) : '-'))],
    ['then purged: deliveries', ...depths.map((one) => (one.rest ? whole(one.rest.purged) : '-'))],
    ['done after, s', ...depths.map((one) => (one.rest ? seconds(one.rest.purgedMs) : '-'))],
  ]);

export const jobTable = (jobs: readonly Operation[]): string[] =>
  table([
    [
      'operation',
      'deliveries',
      'first answer, ms',
      'done after, s',
      'other messages: accepted, p99 ms',
      'delivered, p99 ms',
      'other campaign: delivered/s',
      'p50 ms',
      'p99 ms',
      'RssAnon peak',
    ],
    ...jobs.map(({ name, matched, answerMs, doneMs, beside, memory }) => [
      name,
      whole(matched),
      whole(answerMs),
      seconds(doneMs),
      whole(beside.acceptedP99Ms),
      whole(beside.arrivedP99Ms),
      beside.campaignPerSecond.toFixed(1),
      whole(beside.campaignP50Ms),
      whole(beside.campaignP99Ms),
      formatSize(memory.rssAnonBytes),
    ]),
  ]);

export const campaignTable = (one: Campaign): string[] =>
  table([
    ['a campaign through the client', `${whole(one.size)} recipients`],
    ['first line to the end, kills and restarts included, s', one.seconds.toFixed(1)],
    ['recipients/s over all of it', whole(one.size / one.seconds)],
    ['server killed to listening again, ms', whole(one.listensMs)],
    ['server killed to its next line accepted, ms', whole(one.restartMs)],
    ['found accepted by the second client', whole(one.known)],
    ['RssAnon of the client after a tenth', formatSize(one.earlyBytes)],
    ['RssAnon peak of the client', formatSize(one.peakBytes)],
    ['of its heap in use after a collection, early', formatSize(one.earlyLiveBytes)],
    ['the same near the end', formatSize(one.lateLiveBytes)],
    ['RssAnon peak of the server', formatSize(one.serverPeakBytes)],
  ]);

const SHARES = [0.1, 0.5, 1];

/** At some shares of the recipients, and the peak until then; then second by second. */
export function campaignMemoryTable({ size, samples }: CampaignMemory): string[] {
  const rows = SHARES.map((share) => {
    const at = samples.findIndex(({ accepted }) => accepted >= size * share);
    const until = samples.slice(0, at + 1);
    return [
      `${whole(share * 100)} % of ${whole(size)}`,
      ...(['serverBytes', 'clientBytes'] as const).flatMap((whose) => [
        formatSize(samples[at]![whose]),
        formatSize(Math.max(...until.map((sample) => sample[whose]))),
      ]),
    ];
  });
  const bySecond = samples.filter(
    ({ ms }, i) => i === 0 || Math.floor(ms / 1000) > Math.floor(samples[i - 1]!.ms / 1000),
  );
  return [
    ...table([
      ['accepted', 'RssAnon of the server', 'peak so far', 'RssAnon of the client', 'peak so far'],
      ...rows,
    ]),
    '',
    ...table([
      ['s', 'accepted', 'RssAnon of the server', 'RssAnon of the client'],
      ...bySecond.map(({ ms, accepted, serverBytes, clientBytes }) => [
        whole(ms / 1000),
        whole(accepted),
        formatSize(serverBytes),
        formatSize(clientBytes),
      ]),
    ]),
  ];
}

/** What a delivery costs is judged by both: waiting for the disk is no CPU time. */
export const UNITS = [
  ['cpuUs', 'CPU'],
  ['wallUs', 'elapsed'],
] as const;

export function costTable(costs: readonly Costs[], target: number): string[] {
  const rows = (['enqueue', 'dequeue'] as const).flatMap((kind) =>
    UNITS.map(([unit, title]) => {
      const figures = costs.map((one) => one[kind][unit]);
      const ratio = (figures[1]! / figures[0]!).toFixed(2);
      return [`${kind}, us ${title}`, ...figures.map((figure) => figure.toFixed(1)), ratio];
    }),
  );
  const head = [
    'the store, per delivery',
    ...costs.map(({ size }) => `at ${whole(size)}`),
    `ratio, target ${target}`,
  ];
  return table([head, ...rows]);
}
