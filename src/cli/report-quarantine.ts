/** `postrider report quarantine`: mail to the MX that had no effect. */
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import type { KeptMailRemoved, ReportQuarantineView, KeptMailContent } from '../api/index.ts';
import { ok } from '../core/index.ts';
import { asks, type ConfirmOptions, confirmed, withConfirmation } from './confirm.ts';
import { connect, type ConnectionOptions, fail, show, withConnection } from './connection.ts';
import { clock, type ExitCode, exitingWith, type Io } from './io.ts';
import { fileProblem } from './new-file.ts';
import { renderTable } from './table.ts';

const LIST_ONE = '/v1/reports/quarantine?limit=1';

interface ListOptions extends ConnectionOptions {
  readonly limit: string;
  readonly after?: string;
}

export const quarantineCommand = (io: Io): Command =>
  new Command('quarantine')
    .description('mail to the MX that had no effect, and is kept')
    .addCommand(
      withConnection(new Command('list').description('the mails, oldest first, and why'))
        .option('--limit <n>', 'how many', '50')
        .option('--after <id>', 'those after this one')
        .action(exitingWith((options: ListOptions) => list(io, options))),
    )
    .addCommand(
      withConnection(new Command('show').description('one of them, as it came (then: report decode -)'))
        .argument('<id>', 'id of the list, or `kept` of an event report_rejected')
        .option('-o, --output <file>', 'a new file instead of standard output')
        .action(exitingWith((id: string, options: ShowOptions) => showMail(io, id, options))),
    )
    .addCommand(
      withConfirmation(
        withConnection(new Command('remove').description('forget some of them, or all'))
          .argument('[id...]', 'ids of the list')
          .option('--all', 'all of them')
          .action(exitingWith((ids: readonly string[], options: RemoveOptions) => remove(io, ids, options))),
        'how many it would forget',
      ),
    );

interface ShowOptions extends ConnectionOptions {
  readonly output?: string;
}
interface RemoveOptions extends ConnectionOptions, ConfirmOptions {
  readonly all?: true;
}

async function list(io: Io, options: ListOptions): Promise<ExitCode> {
  const { limit, after } = options;
  const client = await connect(io, options);
  const query = new URLSearchParams({ limit, ...(after !== undefined && { cursor: after }) });
  const listed = await client.get<ReportQuarantineView>(`/v1/reports/quarantine?${query.toString()}`);
  return show(io, options, listed, (view) => listText(io, view));
}

const COLUMNS = [
  { title: 'id', whole: true },
  { title: 'received', whole: true },
  { title: 'reason' },
  { title: 'from' },
  { title: 'to' },
  { title: 'peer' },
  { title: 'bytes', align: 'right' },
] as const;

export function listText(io: Pick<Io, 'columns'>, { mails, next, total }: ReportQuarantineView): string {
  if (mails.length === 0) return 'nothing is in the quarantine\n';
  const rows = mails.map(({ id, received, reason, from, to, peer, bytes }) => [
    id,
    clock(received),
    reason,
    from === '' ? '<>' : from,
    to[0],
    peer,
    bytes,
  ]);
  const more = next === undefined ? '' : `${total} in all; next: --after ${next}\n`;
  return `${renderTable(COLUMNS, rows, io)}${more}`;
}

async function showMail(io: Io, id: string, options: ShowOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const found = await client.get<KeptMailContent>(`/v1/reports/quarantine/${encodeURIComponent(id)}`);
  if (!found.ok || (options.output === undefined && options.json)) return show(io, options, found, () => '');
  const raw = Buffer.from(found.value.content, 'base64');
  const { output } = options;
  // As bytes: the mail of a stranger need not be UTF-8.
  if (output === undefined) {
    await io.out(raw);
    return 0;
  }
  try {
    await writeFile(output, raw, { flag: 'wx', mode: 0o600 });
    return 0;
  } catch (error) {
    return fail(io, options, fileProblem(error, output));
  }
}

async function remove(io: Io, ids: readonly string[], options: RemoveOptions): Promise<ExitCode> {
  if (ids.length > 0 === (options.all === true))
    return fail(io, options, {
      exitCode: 2,
      code: 'usage',
      message: 'name the mails to remove, or give --all',
      lines: [],
    });
  const client = await connect(io, options);
  const all = options.all ? await client.get<{ total: number }>(LIST_ONE) : ok({ total: ids.length });
  if (!all.ok || options.dryRun) return show(io, options, all, ({ total }) => `${total} would be removed\n`);
  if (all.value.total === 0 && asks(io, options)) {
    await show(io, options, all, () => 'nothing is in the quarantine\n');
    return 1;
  }
  const agreed = await confirmed(io, options, `forget ${all.value.total} mails?`);
  if (!agreed.ok) return fail(io, options, agreed.error);
  if (!agreed.value) return 1;
  const body = options.all ? { all: true } : { ids };
  const result = await client.delete<KeptMailRemoved>('/v1/reports/quarantine', body);
  const code = await show(io, options, result, ({ removed }) => `removed ${removed}\n`);
  return code === 0 && result.ok && result.value.removed === 0 ? 1 : code;
}
