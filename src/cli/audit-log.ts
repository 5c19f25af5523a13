/** `postrider audit-log`: what operators did, the newest first. */
import { Command } from 'commander';
import type { AuditLogEntryView, AuditLogView } from '../api/index.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io, shortClock } from './io.ts';
import { renderTable } from './table.ts';
import { watched, type WatchOptions, withWatch } from './watch.ts';

interface Options extends ConnectionOptions, WatchOptions {
  readonly actor?: string;
  readonly action?: string;
  readonly limit?: string;
  readonly cursor?: string;
}

export const auditLogCommand = (io: Io): Command =>
  withWatch(
    withConnection(
      new Command('audit-log').description('what operators did: who, when, what, how many; kept for 90 days'),
    ),
  )
    .option('--actor <name>', 'only what this user, token or session did')
    .option('--action <name>', 'only this, such as "queue purge"')
    .option('--limit <n>', 'most lines (default: 100)')
    .option('--cursor <id>', 'go on with what is older, as the end of the answer before says')
    .action(exitingWith((options: Options) => watched(io, options, (out) => auditLog(out, options))));

async function auditLog(io: Io, options: Options): Promise<ExitCode> {
  const { actor, action, limit, cursor } = options;
  const given = Object.entries({ actor, action, limit, cursor }).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(given as [string, string][]).toString();
  const client = await connect(io, options);
  const result = await client.get<AuditLogView>(`/v1/audit-log${query === '' ? '' : `?${query}`}`);
  return show(io, options, result, (view) => auditLogText(io, view));
}

const COLUMNS = [
  { title: 'time', whole: true },
  { title: 'who' },
  { title: 'action' },
  { title: 'selector', beneath: true },
  { title: 'count', align: 'right' },
  { title: 'result', beneath: true },
] as const;

export function auditLogText(io: Pick<Io, 'columns' | 'now'>, { entries, next }: AuditLogView): string {
  if (entries.length === 0) return 'nothing was done\n';
  const rows = entries.map((entry) => [
    shortClock(io, entry.time),
    whoOf(entry),
    entry.action,
    selectorText(entry.selector),
    entry.count,
    entry.message === undefined ? entry.result : `${entry.result}: ${entry.message}`,
  ]);
  const more = next === undefined ? '' : `older ones: --cursor ${next}\n`;
  return renderTable(COLUMNS, rows, io) + more;
}

/** `ann (socket)`, `ops (token, 192.0.2.7)` */
function whoOf({ actor: { kind, name, address } }: AuditLogEntryView): string {
  const door = address === undefined ? kind : `${kind}, ${address}`;
  return name === '' ? door : `${clean(name)} (${door})`;
}

const selectorText = (selector: AuditLogEntryView['selector']): string =>
  Object.entries(selector)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
