/** `postrider stop-list`: who is not mailed. Import and export are in stop-list-file.ts. */
import { Command, Option } from 'commander';
import type { StopListChange, StopListView } from '../api/index.ts';
import type { Result } from '../core/index.ts';
import type { Problem } from './client.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io, shortClock } from './io.ts';
import { exportFile, type ExportOptions, importFile, type ImportOptions } from './stop-list-file.ts';
import { type Given, targetOf } from './stop-list-target.ts';
import { renderTable } from './table.ts';

const SOURCES = ['hard_bounce', 'complaint', 'unsubscribe', 'operator', 'import'];

interface ListOptions extends ConnectionOptions {
  readonly recipient?: string;
  readonly kind?: string;
  readonly account?: string;
  readonly source?: string;
  readonly limit: string;
}

interface AddOptions extends ConnectionOptions {
  readonly account?: string;
  readonly reason?: string;
  readonly expires?: string;
}

export const stopListCommand = (io: Io): Command =>
  new Command('stop-list')
    .description('addresses, domains and patterns that are not mailed')
    .addCommand(listCommand(io))
    .addCommand(addCommand(io))
    .addCommand(removeCommand(io))
    .addCommand(importCommand(io))
    .addCommand(exportCommand(io));

const ENTRIES = 'addresses, domains, or patterns with * and ? such as "*@*.example.com"';

const listCommand = (io: Io): Command =>
  withConnection(new Command('list').description('entries, or what stops one recipient'))
    .option('--recipient <address>', 'the entry that stops this address')
    .addOption(new Option('--kind <kind>', 'entries of one kind').choices(['address', 'domain', 'pattern']))
    .option('--account <id>', 'entries of one account')
    .addOption(new Option('--source <source>', 'entries that came from there').choices(SOURCES))
    .option('--limit <n>', 'entries to print', '50')
    .action(exitingWith((options: ListOptions) => list(io, options)));

const addCommand = (io: Io): Command =>
  withConnection(new Command('add').description('stop mail to them'))
    .argument('<entry...>', ENTRIES)
    .option('--account <id>', 'for one account only')
    .option('--reason <text>', 'why, for people')
    .option('--expires <time>', 'until 2026-05-01T08:00:00Z, or for a duration such as 30d')
    .action(exitingWith((entries: readonly string[], options: AddOptions) => add(io, entries, options)));

const removeCommand = (io: Io): Command =>
  withConnection(new Command('remove').description('mail them again'))
    .argument('<entry...>', ENTRIES)
    .option('--account <id>', 'the entry of one account')
    .action(exitingWith((entries: readonly string[], options: AddOptions) => remove(io, entries, options)));

const importCommand = (io: Io): Command =>
  withConnection(new Command('import').description('add the entries of a CSV file'))
    .argument(
      '<file>',
      'CSV: entry, account_id, source, reason, expires; the first column is enough; - is standard input',
    )
    .option('--account <id>', 'for one account only, where the file names none')
    .addOption(
      new Option('--source <source>', 'where the file names none').choices(SOURCES).default('import'),
    )
    .option('--reason <text>', 'where the file names none')
    .action(exitingWith((file: string, options: ImportOptions) => importFile(io, file, options)));

const exportCommand = (io: Io): Command =>
  withConnection(new Command('export').description('write the entries as CSV'))
    .option('-o, --output <file>', 'a new file instead of standard output')
    .option('--account <id>', 'entries of one account')
    .action(exitingWith((options: ExportOptions) => exportFile(io, options)));

async function list(io: Io, options: ListOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const { recipient, kind, account: account_id, source, limit } = options;
  const given = Object.entries({ recipient, kind, account_id, source, limit });
  const query = new URLSearchParams(given.filter((pair): pair is [string, string] => pair[1] !== undefined));
  const result = await client.get<StopListView>(`/v1/stop-list?${query.toString()}`);
  const code = await show(io, options, result, (view) => listText(io, view));
  return code === 0 && recipient !== undefined && result.ok && result.value.entries.length === 0 ? 1 : code;
}

const COLUMNS = [
  { title: 'entry', whole: true },
  { title: 'account' },
  { title: 'source' },
  { title: 'added', whole: true },
  { title: 'expires', whole: true },
  { title: 'reason', beneath: true },
] as const;

export function listText(io: Pick<Io, 'columns' | 'now'>, { entries, next }: StopListView): string {
  if (entries.length === 0) return 'no entry\n';
  const rows = entries.map((entry) => [
    entry.address ?? entry.domain ?? entry.pattern ?? '',
    entry.account_id,
    entry.source,
    shortClock(io, entry.added),
    entry.expires === undefined ? undefined : shortClock(io, entry.expires),
    entry.reason,
  ]);
  return `${renderTable(COLUMNS, rows, io)}${next === undefined ? '' : 'there are more: see --limit, or export\n'}`;
}

async function add(io: Io, entries: readonly string[], options: AddOptions): Promise<ExitCode> {
  const { account: account_id, reason, expires } = options;
  const client = await connect(io, options);
  const body = { entries: entries.map((entry) => ({ ...targetOf(entry), account_id, reason, expires })) };
  return told(io, options, { entries, result: await client.post<StopListChange>('/v1/stop-list', body) });
}

async function remove(io: Io, entries: readonly string[], options: AddOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const given: (Given & { account_id?: string | undefined })[] = entries.map((entry) => ({
    ...targetOf(entry),
    account_id: options.account,
  }));
  const result = await client.delete<StopListChange>('/v1/stop-list', { entries: given });
  const code = await told(io, options, { entries, result });
  return code === 0 && result.ok && result.value.removed === 0 ? 1 : code;
}

interface Told {
  readonly entries: readonly string[];
  readonly result: Result<StopListChange, Problem>;
}

async function told(io: Io, options: ConnectionOptions, { entries, result }: Told): Promise<ExitCode> {
  const code = await show(io, options, result, ({ added, removed, rejected }) => {
    const lines = rejected.map(
      ({ index, message }) => `rejected  ${clean(entries[index] ?? '')}: ${message}`,
    );
    return [...lines, added === undefined ? `${removed} removed` : `${added} added`, ''].join('\n');
  });
  return code === 0 && result.ok && result.value.rejected.length > 0 ? 1 : code;
}
