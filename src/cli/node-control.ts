/**
 * `postrider node lock|unlock|lift|drain|resume|disable`, and `node locks`. What keeps mail from a node says how much it
 * touches, and asks on a terminal; without one it acts, since nothing is lost and the opposite command undoes it.
 */
import { Command } from 'commander';
import { instead, type LockView, type NodeView, type QueueReport } from '../api/index.ts';
import { err, formatDuration, ok, type Result } from '../core/index.ts';
import type { ControlClient, Problem } from './client.ts';
import { asks, type ConfirmOptions, confirmed, withConfirmation } from './confirm.ts';
import { connect, type ConnectionOptions, fail, show, withConnection } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io } from './io.ts';
import { renderTable } from './table.ts';

interface LockOptions extends ConnectionOptions, ConfirmOptions {
  readonly isp?: string;
  readonly duration?: string;
  readonly move?: true;
  readonly reason?: string;
}

interface Done {
  readonly node: string;
  readonly state: string;
  readonly lifted?: number;
}

interface Touched {
  readonly node: string;
  readonly isp?: string;
  /** Deliveries in the queue; absent where the ISP is the key of a lane, by which they are not counted. */
  readonly queued?: number;
  readonly dry_run: true;
}

const MOST_ROWS = 10_000;
const LANE = /^(?:mx|isp):/;
/** What becomes of mail that is queued. */
const EFFECTS: Readonly<Record<string, string>> = {
  lock: 'wait until it is unlocked',
  'lock --move': 'move to other nodes of their senders, or wait',
  drain: 'are still sent; new mail goes elsewhere',
  disable: 'wait until it is resumed',
};

export const nodeControlCommands = (io: Io): readonly Command[] => [
  asking(new Command('lock').description('stop sending from a node, or from it to one ISP'))
    .argument('<node>')
    .option('--isp <name>', 'only towards this ISP')
    .option('--duration <time>', 'for so long, such as 30m (default: until it is unlocked)')
    .option('--move', 'waiting mail moves to nodes of its sender that are not locked')
    .option('--reason <text>', 'for the other operators')
    .action(exitingWith((node: string, options: LockOptions) => lock(io, node, options))),
  withConnection(new Command('unlock').description('lift the locks of a node'))
    .argument('<node>')
    .option('--isp <name>', 'only the one towards this ISP')
    .action(
      exitingWith((node: string, { isp, ...options }: LockOptions) =>
        act(io, options, { node, verb: 'unlock', body: isp === undefined ? {} : { isp } }),
      ),
    ),
  withConnection(new Command('lift').description('lift one lock, of any scope; node locks shows the ids'))
    .argument('<lock>')
    .action(exitingWith((id: string, options: ConnectionOptions) => lift(io, id, options))),
  stopping(io, 'drain', 'take no new mail, send what is queued'),
  plain(io, 'resume', 'undo drain and disable; paused warm-ups go on'),
  stopping(io, 'disable', 'send nothing; the mail waits'),
  withConnection(new Command('locks').description('all locks, with the reply that caused them')).action(
    exitingWith((options: ConnectionOptions) => locks(io, options)),
  ),
];

const plain = (io: Io, verb: string, description: string): Command =>
  withConnection(new Command(verb).description(description))
    .argument('<node>')
    .action(
      exitingWith((node: string, options: ConnectionOptions) => act(io, options, { node, verb, body: {} })),
    );

const asking = (command: Command): Command =>
  withConfirmation(withConnection(command), 'how many deliveries it touches');

const stopping = (io: Io, verb: string, description: string): Command =>
  asking(new Command(verb).description(description))
    .argument('<node>')
    .action(exitingWith((node: string, options: LockOptions) => stop(io, options, { node, verb, body: {} })));

function lock(io: Io, node: string, given: LockOptions): Promise<ExitCode> {
  const { isp, duration, move, reason } = given;
  const body = {
    ...(isp !== undefined && { isp }),
    ...(duration !== undefined && { duration }),
    ...(move && { waiting: 'move' }),
    ...(reason !== undefined && { reason }),
  };
  return stop(io, given, { node, verb: 'lock', body });
}

interface Act {
  readonly node: string;
  readonly verb: string;
  readonly body: object;
}

/** Says first what it touches, where somebody is there to be asked. */
async function stop(io: Io, options: LockOptions, asked: Act): Promise<ExitCode> {
  const { node, verb } = asked;
  if (!options.dryRun && !asks(io, options)) return act(io, options, asked);
  const touched = await touchedBy(await connect(io, options), node, options.isp);
  const effect = EFFECTS[options.move ? `${verb} --move` : verb]!;
  const said = (one: Touched): string => `${touchedText(one)} ${effect}`;
  if (!touched.ok || options.dryRun) return show(io, options, touched, (one) => `${said(one)}\n`);
  const agreed = await confirmed(io, options, `${said(touched.value)}. ${verb} ${node}?`);
  if (!agreed.ok) return fail(io, options, agreed.error);
  return agreed.value ? act(io, options, asked) : 1;
}

async function touchedBy(
  client: ControlClient,
  node: string,
  isp: string | undefined,
): Promise<Result<Touched, Problem>> {
  const nodes = await client.get<{ nodes: readonly NodeView[] }>('/v1/nodes');
  if (!nodes.ok) return nodes;
  const names = nodes.value.nodes.map(({ name }) => name);
  if (!names.includes(node)) {
    const message = `there is no node ${node}${instead(node, names)}`;
    return err({ exitCode: 1, code: 'not_found', message, lines: [] });
  }
  const touched = { node, ...(isp !== undefined && { isp }), dry_run: true } as const;
  if (isp !== undefined && LANE.test(isp)) return ok(touched);
  const report = await client.get<QueueReport>(`/v1/queue?group_by=node,isp&limit=${MOST_ROWS}`);
  if (!report.ok) return report;
  const rows = report.value.rows.filter((row) => row.node === node && (isp === undefined || row.isp === isp));
  return ok({ ...touched, queued: rows.reduce((sum, { total }) => sum + total, 0) });
}

/** `n1 towards gmail: 1200 queued deliveries` */
function touchedText({ node, isp, queued }: Touched): string {
  const count = queued === undefined ? 'its' : String(queued);
  return clean(
    `${node}${isp === undefined ? '' : ` towards ${isp}`}: ${count} queued ${queued === 1 ? 'delivery' : 'deliveries'}`,
  );
}

async function act(io: Io, options: ConnectionOptions, { node, verb, body }: Act): Promise<ExitCode> {
  const client = await connect(io, options);
  const result = await client.post<Done>(`/v1/nodes/${encodeURIComponent(node)}/${verb}`, body);
  return show(io, options, result, ({ state, lifted }) => {
    const what = lifted === undefined ? '' : `${lifted} ${lifted === 1 ? 'lock' : 'locks'} lifted, `;
    return `${clean(node)}: ${what}${state}\n`;
  });
}

async function lift(io: Io, id: string, options: ConnectionOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const result = await client.delete<{ lifted: number }>(`/v1/locks/${encodeURIComponent(id)}`, {});
  return show(io, options, result, () => `lock ${clean(id)} lifted\n`);
}

async function locks(io: Io, options: ConnectionOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const result = await client.get<{ locks: readonly LockView[] }>('/v1/locks');
  return show(io, options, result, (view) => locksText(io, view.locks));
}

const COLUMNS = [
  { title: 'id', whole: true },
  { title: 'node' },
  { title: 'sender' },
  { title: 'ISP' },
  { title: 'rule' },
  { title: 'left', whole: true },
  { title: 'because', beneath: true },
] as const;

export function locksText(io: Pick<Io, 'columns'>, all: readonly LockView[]): string {
  if (all.length === 0) return 'no locks\n';
  const rows = all.map(({ id, node, sender, isp, lane, rule, state, seconds_left: left, reason }) => [
    id,
    node ?? 'all',
    sender ?? 'all',
    (isp === 'other' ? lane : isp) ?? 'all',
    rule ?? 'by hand',
    state === 'probing' ? 'tries' : left === undefined ? 'no end' : formatDuration(left * 1000),
    clean(reason),
  ]);
  return renderTable(COLUMNS, rows, io);
}
