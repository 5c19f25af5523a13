/** `postrider node list --speeds`: what each sender may send towards each ISP in a minute, an hour and a day. */
import { type Command, Option } from 'commander';
import type { AllowanceView, SpeedView } from '../api/index.ts';
import { connect, type ConnectionOptions, show } from './connection.ts';
import { clean, type ExitCode, type Io } from './io.ts';
import { renderTable } from './table.ts';

export interface SpeedOptions {
  readonly speeds?: true;
  readonly sender?: string;
  readonly isp?: string;
  readonly node?: string;
}

export function withSpeeds(command: Command): Command {
  const only = (name: string): Option =>
    new Option(`--${name} <name>`, `--speeds of this ${name === 'isp' ? 'ISP' : name} only`).implies({
      speeds: true,
    });
  command.option('--speeds', 'what each sender may send towards each ISP, per node and in sum');
  for (const name of ['sender', 'isp', 'node']) command.addOption(only(name));
  return command;
}

export async function listSpeeds(io: Io, options: ConnectionOptions & SpeedOptions): Promise<ExitCode> {
  const query = new URLSearchParams();
  for (const name of ['sender', 'isp', 'node'] as const) {
    const value = options[name];
    if (value !== undefined) query.set(name, value);
  }
  const client = await connect(io, options);
  const result = await client.get<{ speeds: readonly SpeedView[] }>(`/v1/speeds?${query.toString()}`);
  return show(io, options, result, ({ speeds }) => speedsText(io, speeds));
}

const COLUMNS = [
  { title: 'sender' },
  { title: 'ISP' },
  { title: 'node' },
  { title: 'strategy' },
  { title: 'per minute', align: 'right' },
  { title: 'per hour', align: 'right' },
  { title: 'per day', align: 'right' },
  { title: 'now per day', align: 'right' },
] as const;

/** ISPs with the same figures share their lines. */
export function speedsText(io: Pick<Io, 'columns'>, speeds: readonly SpeedView[]): string {
  if (speeds.length === 0) return 'no such sender, ISP or node\n';
  const groups = new Map<string, { readonly isps: string[]; readonly rows: readonly SpeedView[] }>();
  for (const rows of blocks(speeds)) {
    const key = JSON.stringify(rows.map((row) => ({ ...row, isp: '' })));
    const known = groups.get(key);
    if (known) known.isps.push(rows[0]!.isp);
    else groups.set(key, { isps: [rows[0]!.isp], rows });
  }
  const all = [...groups.values()];
  const table = renderTable(
    COLUMNS,
    all.flatMap(({ isps, rows }) => rows.map((row) => cells(row, isps))),
    io,
  );
  const reasons = all.flatMap(({ isps, rows }) =>
    rows
      .filter(({ node, because }) => node !== undefined && because.length > 0)
      .map((row) => `${row.node} towards ${names(isps)}: ${clean(row.because.join('; '))}\n`),
  );
  return reasons.length > 0 ? `${table}\n${[...new Set(reasons)].join('')}` : table;
}

/** The lines of one sender and ISP, which follow each other. */
function blocks(speeds: readonly SpeedView[]): SpeedView[][] {
  const all: SpeedView[][] = [];
  for (const row of speeds) {
    const last = all.at(-1);
    if (last?.[0]!.sender === row.sender && last[0].isp === row.isp) last.push(row);
    else all.push([row]);
  }
  return all;
}

const cells = (row: SpeedView, isps: readonly string[]): (string | number)[] => [
  row.sender,
  names(isps),
  row.node ?? 'all nodes',
  row.strategy ?? 'several',
  ...[row.allowed.per_minute, row.allowed.per_hour, row.allowed.per_day].map(amount),
  same(row.allowed, row.now) ? '' : amount(row.now.per_day),
];

const same = (one: AllowanceView, other: AllowanceView): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

const names = ([first, second, ...more]: readonly string[]): string => {
  if (second === undefined) return first!;
  return more.length > 0 ? `${first!}, ${second} and ${more.length} more` : `${first!}, ${second}`;
};

/** Whole where it is large; a slow speed keeps a digit. */
const amount = (count: number | null): string =>
  count === null ? 'no limit' : String(count >= 10 ? Math.round(count) : Number(count.toFixed(1)));
