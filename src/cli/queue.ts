/** `postrider queue`: what is queued, grouped as asked, and operations on it. */
import { Command } from 'commander';
import type { QueueReport, QueueRow } from '../api/index.ts';
import { formatAge } from '../core/index.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { clean, clock, type ExitCode, exitingWith, type Io } from './io.ts';
import { operationCommands } from './queue-operations.ts';
import { quarantineCommand } from './queue-quarantine.ts';
import { endsInText, oldestText, rateText } from './pace-text.ts';
import { renderTable } from './table.ts';
import { watched, type WatchOptions, withWatch } from './watch.ts';

interface Options extends ConnectionOptions, WatchOptions {
  readonly by: string;
  readonly limit: string;
}

const COUNTS = ['new', 'proc', 'retry', 'hold', 'total'] as const;

export function queueCommand(io: Io): Command {
  const queue = new Command('queue').description('the queue').addCommand(
    withWatch(withConnection(new Command('list').description('what is queued')))
      .option('--by <groups>', 'account, campaign, isp, sender, node, domain; several by commas', 'isp,node')
      .option('--limit <n>', 'rows to print, the largest first', '50')
      .action(exitingWith((options: Options) => watched(io, options, (page) => list(page, options)))),
  );
  for (const operation of operationCommands(io)) queue.addCommand(operation);
  queue.addCommand(quarantineCommand(io));
  return queue;
}

async function list(io: Io, options: Options): Promise<ExitCode> {
  const client = await connect(io, options);
  const query = new URLSearchParams({ group_by: options.by, limit: options.limit });
  const result = await client.get<QueueReport>(`/v1/queue?${query.toString()}`);
  return show(io, options, result, (report) => queueText(io, options.by.split(','), report));
}

export function queueText(
  io: Pick<Io, 'columns' | 'now'>,
  groups: readonly string[],
  report: QueueReport,
): string {
  const { rows, more_rows, totals, marks } = report;
  if (totals.total === 0) return `the queue is empty\n${marks.map((one) => markText(io, one)).join('')}`;
  const columns = [
    // What is cut here could not be given to another command.
    ...groups.map((title) => ({ title, whole: true as const })),
    ...[...COUNTS, 'oldest', '/s', 'ends in'].map((title) => ({ title, align: 'right' as const })),
  ];
  const cells = (row: QueueRow, names: readonly string[]): (string | number)[] => [
    ...names.map((name) => row[name as keyof QueueRow] || '-'),
    ...COUNTS.map((name) => row[name]),
    oldestText(row),
    rateText(row),
    endsInText(row, row.total, io.now()),
  ];
  const sum = [
    ...groups.map((_, i) => (i === 0 ? 'all' : '')),
    ...COUNTS.map((name) => totals[name]),
    '',
    '',
    '',
  ];
  const table = renderTable(columns, [...rows.map((row) => cells(row, groups)), sum], io);
  const age = totals.oldest_seconds === undefined ? '' : formatAge(totals.oldest_seconds * 1000);
  const more = more_rows > 0 ? `${more_rows} more rows: see --limit\n` : '';
  const aside = totals.quarantined > 0 ? `in the quarantine: ${totals.quarantined} of these\n` : '';
  return `${table}${more}${age === '' ? '' : `oldest delivery: ${age}\n`}${aside}${marks.map((one) => markText(io, one)).join('')}`;
}

/** `hold since 2026-05-01 08:00:00Z, 2h by ann: campaign_id=spring` */
function markText(
  { now }: Pick<Io, 'now'>,
  { mark, at, by, selector }: QueueReport['marks'][number],
): string {
  const fields = Object.entries(selector).map(([name, value]) => `${name}=${String(value)}`);
  const whose = by === undefined ? '' : ` by ${by}`;
  return (
    clean(`${mark} since ${clock(at)}, ${formatAge(now() - Date.parse(at))}${whose}: ${fields.join(' ')}`) +
    '\n'
  );
}
