/** `postrider node`: `list` shows each node and what it does towards each ISP; node-control.ts has the rest. */
import { Command } from 'commander';
import type { LaneView, NodeView } from '../api/index.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { clean, clock, type ExitCode, exitingWith, type Io, shortClock } from './io.ts';
import { locksText, nodeControlCommands } from './node-control.ts';
import { listSpeeds, type SpeedOptions, withSpeeds } from './node-speeds.ts';
import { renderTable } from './table.ts';
import { watched, type WatchOptions, withWatch } from './watch.ts';

export function nodeCommand(io: Io): Command {
  const command = new Command('node')
    .description('the nodes')
    .addCommand(
      withWatch(
        withConnection(withSpeeds(new Command('list').description('state, sessions and speed of the nodes'))),
      ).action(
        exitingWith((options: ConnectionOptions & WatchOptions & SpeedOptions) =>
          watched(io, options, (page) => (options.speeds ? listSpeeds(page, options) : list(page, options))),
        ),
      ),
    );
  for (const one of nodeControlCommands(io)) command.addCommand(one);
  return command;
}

async function list(io: Io, options: ConnectionOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const result = await client.get<{ nodes: readonly NodeView[] }>('/v1/nodes');
  return show(io, options, result, ({ nodes }) => nodesText(io, nodes));
}

const NODE_COLUMNS = [
  { title: 'node' },
  { title: 'address' },
  { title: 'hostname' },
  { title: 'state' },
  { title: 'sessions', align: 'right' },
  { title: 'attempts', align: 'right' },
  { title: 'delivered', align: 'right' },
] as const;
/** Of nodes that do not run; beneath its row where there is no room. */
const SINCE_COLUMN = { title: '', beneath: true } as const;
const LANE_COLUMNS = [
  { title: 'node' },
  { title: 'ISP' },
  { title: 'strategy' },
  { title: 'sessions', align: 'right' },
  { title: 'speed', align: 'right' },
  { title: 'in flight', align: 'right' },
  { title: 'waits for', beneath: true },
] as const;

export function nodesText(io: Pick<Io, 'columns' | 'now'>, nodes: readonly NodeView[]): string {
  const someRest = nodes.some((node) => node.state_since !== undefined);
  const rows = nodes.map((node) => [
    node.name,
    node.address,
    node.hostname,
    node.state,
    `${node.sessions}/${node.max_sessions}`,
    node.attempts,
    node.delivered,
    ...(someRest ? [sinceText(io, node)] : []),
  ]);
  const lanes = nodes.flatMap(({ name, lanes: all }) => all.map((lane) => laneRow(name, lane)));
  const errors = nodes.flatMap(({ name, last_error: error }) =>
    error ? [`${name}: last error ${clock(error.at)}: ${clean(error.text)}\n`] : [],
  );
  errors.push(...slowedLines(nodes), ...warmupLines(nodes));
  const laneTable = lanes.length > 0 ? `\n${renderTable(LANE_COLUMNS, lanes, io)}` : '';
  const locks = nodes.flatMap((node) => node.locks);
  const unique = locks.filter(({ id }, i) => locks.findIndex((one) => one.id === id) === i);
  const lockTable = unique.length > 0 ? `\n${locksText(io, unique)}` : '';
  return `${renderTable(someRest ? [...NODE_COLUMNS, SINCE_COLUMN] : NODE_COLUMNS, rows, io)}${laneTable}${lockTable}${errors.length > 0 ? '\n' : ''}${errors.join('')}`;
}

const sinceText = (
  io: Pick<Io, 'columns' | 'now'>,
  { state_since: since }: Pick<NodeView, 'state_since'>,
): string => (since === undefined ? '' : `since ${shortClock(io, since)}`);

const laneRow = (node: string, lane: LaneView): (string | number)[] => [
  node,
  // The mail of a smart host counts by its route: `mx:route:HOST` says that less plainly.
  lane.isp === 'other' ? lane.key.replace(/^mx:route:/, 'route ') : lane.isp,
  lane.strategy,
  `${lane.sessions}/${lane.max_sessions}`,
  speedText(lane),
  lane.in_flight,
  lane.waiting ?? '',
];

/** `100/min`, or when it is lowered: `40/min of 100/min`. */
export function speedText({ rate_per_second: allowed, slowed }: LaneView): string {
  const full = allowed === null ? 'no limit' : speed(allowed);
  return slowed ? `${speed(slowed.per_second)} of ${full}` : full;
}

/** Why speeds are lowered, a line for each. */
const slowedLines = (nodes: readonly NodeView[]): string[] =>
  nodes.flatMap(({ name, lanes }) =>
    lanes.flatMap(({ isp, slowed }) =>
      slowed
        ? [`${name} towards ${isp}: lowered ${clock(slowed.lowered_at)}: ${clean(slowed.lowered_because)}\n`]
        : [],
    ),
  );

/** How far warm-ups are, a line for each. */
const warmupLines = (nodes: readonly NodeView[]): string[] =>
  nodes.flatMap(({ name, lanes }) =>
    lanes.flatMap(({ isp, warmup }) =>
      warmup ? [`${name} towards ${isp}: ${clean(warmupText(warmup))}\n`] : [],
    ),
  );

function warmupText({
  plan,
  stage,
  stages,
  paused_until: paused,
  reason,
  ...of
}: NonNullable<LaneView['warmup']>): string {
  const where = `warm-up ${plan}, stage ${stage} of ${stages}`;
  if (paused !== undefined)
    return `${where}, paused until ${clock(paused)}: ${reason.replace(/^warm-up paused: /, '')}`;
  if (of.day === '') return `${where}: ${of.daily_cap} a day, none delivered yet`;
  return `${where}: ${of.delivered} of ${of.daily_cap} delivered on ${of.day}`;
}

/** Per second where that is a round enough figure, else per minute or hour. */
function speed(perSecond: number): string {
  if (perSecond >= 1) return `${Number(perSecond.toFixed(1))}/s`;
  if (perSecond * 60 >= 1) return `${Number((perSecond * 60).toFixed(1))}/min`;
  return `${Number((perSecond * 3600).toFixed(1))}/h`;
}
