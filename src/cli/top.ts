/**
 * `postrider top`: the essentials of the status page in a terminal, until Ctrl-C: is it sending and how fast, what alerts,
 * and for each node and ISP what waits, at what speed and why. Without a terminal it prints one picture and ends.
 */
import { Command } from 'commander';
import type { NodeView, QueueReport, StatusView } from '../api/index.ts';
import { formatAge, ok, type Result } from '../core/index.ts';
import type { ControlClient, Problem } from './client.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io, paint } from './io.ts';
import { speedText } from './node.ts';
import { endsInText, oldestText, rateText } from './pace-text.ts';
import { alertLines, nodeLines, waitingLines } from './status.ts';
import { renderTable } from './table.ts';
import { DEFAULT_SECONDS, parseSeconds, watched } from './watch.ts';

interface TopOptions extends ConnectionOptions {
  readonly every: number;
  readonly once?: true;
}

export interface TopView {
  readonly status: StatusView;
  readonly nodes: readonly NodeView[];
  readonly queue: QueueReport;
  readonly campaigns: QueueReport;
}

const MOST_ROWS = '1000';
const MOST_CAMPAIGNS = '5';
const MOST_ALERTS = 2;

export const topCommand = (io: Io): Command =>
  withConnection(
    new Command('top').description('what the server does now, drawn again and again until Ctrl-C'),
  )
    .option('--every <seconds>', 'pause between two pictures', parseSeconds, DEFAULT_SECONDS)
    .option('--once', 'one picture; this is what a pipe or a file gets')
    .action(exitingWith((options: TopOptions) => top(io, options)));

async function top(io: Io, options: TopOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const once = options.once === true || io.columns === undefined || options.json === true;
  const rate = new Rate();
  return watched(io, once ? {} : { watch: options.every }, async (page) => {
    const view = await ask(client);
    return show(page, options, view, (all) => topText(page, all, rate.of(all.status, page.now())));
  });
}

async function ask(client: ControlClient): Promise<Result<TopView, Problem>> {
  const [status, nodes, queue, campaigns] = await Promise.all([
    client.get<StatusView>('/v1/status'),
    client.get<{ nodes: readonly NodeView[] }>('/v1/nodes'),
    client.get<QueueReport>(`/v1/queue?group_by=node,isp&limit=${MOST_ROWS}`),
    client.get<QueueReport>(`/v1/queue?group_by=campaign&limit=${MOST_CAMPAIGNS}`),
  ]);
  if (!status.ok) return status;
  if (!nodes.ok) return nodes;
  if (!queue.ok) return queue;
  if (!campaigns.ok) return campaigns;
  return ok({
    status: status.value,
    nodes: nodes.value.nodes,
    queue: queue.value,
    campaigns: campaigns.value,
  });
}

/** Delivered per second between two pictures. */
export class Rate {
  #before: { readonly delivered: number; readonly at: number } | undefined;

  of({ counters }: Pick<StatusView, 'counters'>, now: number): number | undefined {
    const before = this.#before;
    this.#before = { delivered: counters.delivered, at: now };
    return before && now > before.at
      ? ((counters.delivered - before.delivered) * 1000) / (now - before.at)
      : undefined;
  }
}

const COLUMNS = [
  { title: 'node' },
  { title: 'ISP' },
  { title: 'queued', align: 'right' },
  { title: 'oldest', align: 'right' },
  { title: 'retry', align: 'right' },
  { title: 'hold', align: 'right' },
  { title: 'sessions', align: 'right' },
  { title: 'speed', align: 'right' },
  { title: 'waits for', beneath: true },
] as const;

export function topText(
  paper: Pick<Io, 'colour' | 'now' | 'columns'>,
  view: TopView,
  perSecond: number | undefined,
): string {
  const { status, nodes, queue, campaigns } = view;
  const { delivered, soft_bounces: soft, hard_bounces: hard, since } = status.flow;
  const periodMs = Math.max(0, paper.now() - Date.parse(since));
  const average = Number(((delivered * 1000) / Math.max(1000, periodMs)).toFixed(1));
  const speed = perSecond === undefined ? '' : `${Number(perSecond.toFixed(1))}/s delivered, `;
  const state = status.ready ? paint(paper, 'green', 'ready') : paint(paper, 'red', 'not ready');
  const head = [
    `${clean(status.hostname)} ${state}, ${speed}${queue.totals.total} queued${
      queue.totals.oldest_seconds === undefined
        ? ''
        : `, oldest ${formatAge(queue.totals.oldest_seconds * 1000)}`
    }`,
    `last ${formatAge(periodMs)}: ${delivered} delivered (${average}/s), ${soft} put off, ${hard} bounced`,
    ...status.not_ready.map((reason) => paint(paper, 'red', clean(reason))),
    ...fewAlerts(paper, status),
    ...waitingLines(status),
    ...nodeLines(paper, status),
  ];
  const rows = rowsOf(nodes, queue);
  const plain = { columns: paper.columns, boxes: false } as const;
  const table = rows.length === 0 ? '' : `\n${renderTable(COLUMNS, rows, plain)}`;
  const largest = campaignRows(campaigns, paper.now());
  const ofCampaigns = largest.length === 0 ? '' : `\n${renderTable(CAMPAIGN_COLUMNS, largest, plain)}`;
  return `${head.join('\n')}\n${table}${ofCampaigns}`;
}

/** They leave room for what is below them. */
function fewAlerts(paper: Pick<Io, 'colour' | 'now'>, status: StatusView): string[] {
  const lines = alertLines(paper, status);
  const more = lines.length - MOST_ALERTS;
  return more > 0
    ? [...lines.slice(0, MOST_ALERTS), paint(paper, 'red', `and ${more} more: postrider status`)]
    : lines;
}

const CAMPAIGN_COLUMNS = [
  { title: 'campaign' },
  { title: 'queued', align: 'right' },
  { title: 'oldest', align: 'right' },
  { title: 'retry', align: 'right' },
  { title: 'hold', align: 'right' },
  { title: '/s', align: 'right' },
  { title: 'ends in', align: 'right' },
] as const;

const campaignRows = ({ rows }: QueueReport, now: number): (string | number)[][] =>
  rows
    .filter(({ campaign }) => campaign !== undefined && campaign !== '')
    .map((row) => [
      row.campaign!,
      row.total,
      oldestText(row),
      row.retry,
      row.hold,
      rateText(row),
      endsInText(row, row.total, now),
    ]);

/** A row for each node and ISP that has mail or sessions; most mail first. */
function rowsOf(nodes: readonly NodeView[], queue: QueueReport): (string | number)[][] {
  const rows = new Map<string, { total: number; cells: (string | number)[] }>();
  for (const row of queue.rows) {
    const { node = '', isp = '', total, retry, hold } = row;
    rows.set(`${node}\0${isp}`, {
      total,
      cells: [node, isp, total, oldestText(row), retry, hold, 0, '', ''],
    });
  }
  for (const node of nodes)
    for (const [isp, lanes] of Map.groupBy(node.lanes, (lane) => lane.isp)) {
      const sessions = lanes.reduce((sum, lane) => sum + lane.sessions, 0);
      const known = rows.get(`${node.name}\0${isp}`);
      if (!known && sessions === 0) continue;
      const { total, cells } = known ?? { total: 0, cells: [node.name, isp, 0, '-', 0, 0, 0, '', ''] };
      const one = lanes.length === 1 ? lanes[0] : undefined;
      const waits = lanes.find(({ waiting }) => waiting !== undefined)?.waiting ?? '';
      cells.splice(6, 3, sessions, one ? speedText(one) : '', waits);
      rows.set(`${node.name}\0${isp}`, { total, cells });
    }
  return [...rows.values()].sort((a, b) => b.total - a.total).map(({ cells }) => cells);
}
