/**
 * `postrider status`: is it sending, what is stuck, why, and what to do; exit code 1 when it is not ready. The first lines
 * are for somebody who was woken up; what does not change comes last.
 */
import { Command } from 'commander';
import { commitTime } from '../alerts/index.ts';
import type { StatusView } from '../api/index.ts';
import { formatAge, formatDuration } from '../core/index.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { clean, clock, type ExitCode, exitingWith, type Io, paint } from './io.ts';
import { watched, type WatchOptions, withWatch } from './watch.ts';

type Paper = Pick<Io, 'colour' | 'now'>;

export const statusCommand = (io: Io): Command =>
  withWatch(
    withConnection(new Command('status').description('is it sending, what is stuck, why, and what to do')),
  ).action(
    exitingWith((options: ConnectionOptions & WatchOptions) =>
      watched(io, options, (page) => status(page, options)),
    ),
  );

async function status(io: Io, options: ConnectionOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const result = await client.get<StatusView>('/v1/status');
  const code = await show(io, options, result, (view) => statusText(io, view));
  return code === 0 && result.ok && !result.value.ready ? 1 : code;
}

export function statusText(paper: Paper, view: StatusView): string {
  const { counters, queue, nodes, events } = view;
  const age = queue.oldest_seconds === undefined ? '' : `, oldest ${formatAge(queue.oldest_seconds * 1000)}`;
  const failed = counters.hard_bounced + counters.undelivered;
  const running = nodes.filter(({ state }) => state === 'running').length;
  const lines = [
    `postrider ${view.version} on ${view.hostname}: ${view.ready ? paint(paper, 'green', 'ready') : paint(paper, 'red', 'not ready')}`,
    ...view.not_ready.map((reason) => `  ${reason}`),
    sendingLine(paper, view),
    ...alertLines(paper, view),
    `queue       ${queue.total} (${queue.new} new, ${queue.proc} proc, ${queue.retry} retry, ${queue.hold} hold)${age}`,
    ...(queue.quarantined > 0
      ? [
          paint(
            paper,
            'red',
            `  ${queue.quarantined} are damaged and set aside: see postrider queue quarantine list`,
          ),
        ]
      : []),
    ...waitingLines(view),
    ...(queue.hold > 0 ? [`  ${queue.hold} are held: postrider queue list says by whom and since when`] : []),
    `nodes       ${running} of ${nodes.length} running, ${nodes.reduce((sum, { sessions }) => sum + sessions, 0)} sessions`,
    ...nodeLines(paper, view),
    `accepted    ${counters.accepted} = ${counters.delivered} delivered + ${failed} failed + ${counters.removed} removed + ${counters.queued} queued`,
    ...inboundLines(view),
    `up          since ${clock(view.up_since)} (${formatAge(view.uptime_seconds * 1000)})`,
    ...clockLines(view),
    `durability  ${view.durability}${commitText(view)}`,
    `events      ${events.last_seq < events.first_seq ? 'none yet' : `${events.first_seq} to ${events.last_seq}`}`,
    `data        ${view.data_dir}`,
    `config      ${view.config_file}`,
    ...nextSteps(view),
  ];
  return `${lines.map((line) => (paper.colour ? line : clean(line))).join('\n')}\n`;
}

/** Ages go by the wall clock: nobody should look for mail that has waited for hours when it has not. */
function clockLines({ clock_set_seconds: set }: StatusView): string[] {
  if (set === undefined) return [];
  const by = formatDuration(Math.abs(set) * 1000);
  return [
    `clock       was set ${set > 0 ? 'forward' : 'back'} by ${by} since the start: ages of what came before are that much too ${set > 0 ? 'long' : 'short'}`,
  ];
}

function commitText({ commits: { mean_ms: ms, slow } }: StatusView): string {
  if (ms === undefined) return '';
  return `; a commit takes ${commitTime(ms)}${slow === 0 ? '' : `, ${slow} in the last minute were slow`}`;
}

/** `sending     1200 delivered, 30 put off, 2 bounced in the last 1h; the last one 2s ago` */
function sendingLine({ now }: Paper, { flow, queue }: StatusView): string {
  const { delivered, soft_bounces: soft, hard_bounces: hard, last_delivered_at: last } = flow;
  const period = ago(now(), flow.since);
  const ending = last === undefined ? '' : `; the last delivery ${ago(now(), last)} ago`;
  if (delivered + soft + hard === 0)
    return `sending     ${queue.total === 0 ? 'nothing to send' : 'nothing was tried'} in the last ${period}`;
  return `sending     ${delivered} delivered, ${soft} put off, ${hard} bounced in the last ${period}${ending}`;
}

export const alertLines = (paper: Paper, { alerts }: StatusView): string[] =>
  alerts.map(
    ({ name, since, gone_since: gone, text }) =>
      `${paint(paper, 'red', 'ALERT')}       ${name}: ${clean(text)} (since ${clock(since)}, ${ago(paper.now(), since)}${gone === undefined ? '' : `; not seen any more for ${ago(paper.now(), gone)}`})`,
  );

/** `reports     120 bounce, 3 complaint, 1 unverified; 2 wait to be read, 1 in the quarantine` */
function inboundLines({ inbound }: StatusView): string[] {
  const { reports, waiting, quarantined } = inbound;
  if (reports.length + waiting + quarantined === 0) return [];
  const sums = new Map<string, number>();
  for (const { verdict, count } of reports) sums.set(verdict, (sums.get(verdict) ?? 0) + count);
  const read = [...sums].sort((a, b) => b[1] - a[1]).map(([verdict, count]) => `${count} ${verdict}`);
  const more = `${waiting} wait to be read, ${quarantined} in the quarantine`;
  return [`reports     ${[...(read.length > 0 ? [read.join(', ')] : []), more].join('; ')}`];
}

/** Those that do not run. */
export const nodeLines = (paper: Paper, { nodes }: Pick<StatusView, 'nodes'>): string[] =>
  nodes
    .filter(({ state }) => state !== 'running')
    .map(({ name, address, state, state_since: since }) => {
      const sinceWhen = since === undefined ? '' : ` since ${clock(since)}, ${ago(paper.now(), since)}`;
      return `  ${name} (${address}) is ${paint(paper, 'yellow', state)}${sinceWhen}`;
    });

/** Where nothing was taken for longest comes first. */
export const waitingLines = ({ flow }: StatusView): string[] => [
  ...flow.waiting.map(
    ({ isp, count, oldest_seconds: oldest, why }) =>
      `  ${clean(isp)}: ${count} waiting, the oldest for ${formatAge(oldest * 1000)}${why === undefined ? '' : `: ${clean(why)}`}`,
  ),
  ...(flow.more_waiting > 0 ? [`  and ${flow.more_waiting} more: postrider queue list`] : []),
];

function nextSteps({ alerts, flow, not_ready: notReady }: StatusView): string[] {
  if (alerts.length === 0 && flow.waiting.length === 0 && notReady.length === 0) return [];
  const [first] = flow.waiting;
  const why = first ? [`postrider explain ${clean(first.isp)} (why mail to it waits)`] : [];
  return [
    `next        ${[...why, 'postrider queue list --by isp,campaign', 'postrider node list'].join('; ')}`,
  ];
}

const ago = (now: number, iso: string): string => formatAge(now - Date.parse(iso));
