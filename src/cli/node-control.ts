/** `postrider node lock|unlock|lift|drain|resume|disable`, and `node locks`. */
import { Command } from 'commander';
import type { LockView } from '../api/index.ts';
import { formatDuration } from '../core/index.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io } from './io.ts';
import { renderTable } from './table.ts';

interface LockOptions extends ConnectionOptions {
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

export const nodeControlCommands = (io: Io): readonly Command[] => [
  withConnection(new Command('lock').description('stop sending from a node, or from it to one ISP'))
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
  plain(io, 'drain', 'take no new mail, send what is queued'),
  plain(io, 'resume', 'undo drain and disable; paused warm-ups go on'),
  plain(io, 'disable', 'send nothing; the mail waits'),
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

function lock(
  io: Io,
  node: string,
  { isp, duration, move, reason, ...options }: LockOptions,
): Promise<ExitCode> {
  const body = {
    ...(isp !== undefined && { isp }),
    ...(duration !== undefined && { duration }),
    ...(move && { waiting: 'move' }),
    ...(reason !== undefined && { reason }),
  };
  return act(io, options, { node, verb: 'lock', body });
}

async function act(
  io: Io,
  options: ConnectionOptions,
  { node, verb, body }: { readonly node: string; readonly verb: string; readonly body: object },
): Promise<ExitCode> {
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
