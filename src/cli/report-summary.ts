/** `postrider report bounces|undelivered`: why mail was not delivered, as a table, CSV or a spreadsheet. */
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { Command, Option } from 'commander';
import { stringify } from 'csv-stringify/sync';
import writeExcel from 'write-excel-file/node';
import type { BounceReport } from '../api/index.ts';
import { connect, type ConnectionOptions, fail, show, withConnection } from './connection.ts';
import { type ExitCode, exitingWith, type Io, shortClock } from './io.ts';
import { fileProblem } from './new-file.ts';
import { renderTable } from './table.ts';

interface Options extends ConnectionOptions {
  readonly from?: string;
  readonly to?: string;
  readonly by: string;
  readonly limit: string;
  readonly format: 'table' | 'csv' | 'xlsx';
  readonly output?: string;
}

const SUMMARIES = {
  bounces: { text: 'refusals, hard and soft, summed up by cause', by: 'category,reply' },
  undelivered: { text: 'deliveries that were given up, summed up by cause', by: 'reason,category,reply' },
} as const;

export const summaryCommand = (io: Io, name: keyof typeof SUMMARIES): Command =>
  withConnection(new Command(name).description(SUMMARIES[name].text))
    .option('--from <time>', 'since 2026-05-01T08:00:00Z, or that long ago: 24h')
    .option('--to <time>', 'until then')
    .option(
      '--by <groups>',
      'type, reason, from_domain, node, isp, campaign, account, sender, class, category, reply; several by commas',
      SUMMARIES[name].by,
    )
    .option('--limit <n>', 'rows, the largest first', '50')
    .addOption(new Option('--format <format>', 'form').choices(['table', 'csv', 'xlsx']).default('table'))
    .option('-o, --output <file>', 'a new file instead of standard output; needed for xlsx')
    .action(exitingWith((options: Options) => report(io, name, options)));

async function report(io: Io, name: string, options: Options): Promise<ExitCode> {
  const { from, to, by, limit, format, output } = options;
  if (format === 'xlsx' && output === undefined)
    return fail(io, options, {
      exitCode: 2,
      code: 'usage',
      message: 'a spreadsheet needs a file: add --output FILE.xlsx',
      lines: [],
    });
  const client = await connect(io, options);
  const query = new URLSearchParams({ group_by: by, limit, ...(from && { from }), ...(to && { to }) });
  const result = await client.get<BounceReport>(`/v1/reports/${name}?${query.toString()}`);
  if (format === 'table' && output === undefined)
    return show(io, options, result, (view) => reportText(io, by.split(','), view));
  if (!result.ok) return fail(io, options, result.error);
  const cells = cellsOf(by.split(','), result.value);
  const content = format === 'xlsx' ? await workbook(cells) : Buffer.from(stringify(cells));
  if (output === undefined) await io.out(content.toString());
  else {
    try {
      const file = createWriteStream(output, { flags: 'wx', mode: 0o640 });
      await finished(Readable.from([content]).pipe(file));
    } catch (error) {
      return fail(io, options, fileProblem(error, output));
    }
  }
  return 0;
}

type Cell = string | number;
const COLUMNS = ['count', 'late', 'first', 'last'] as const;

const cellsOf = (groups: readonly string[], { rows }: BounceReport): Cell[][] => [
  [...groups, ...COLUMNS],
  ...rows.map((row) => [
    ...groups.map((name) => (row.group as Record<string, string>)[name] ?? ''),
    ...COLUMNS.map((name) => row[name]),
  ]),
];

const workbook = (cells: readonly Cell[][]): Promise<Buffer> =>
  writeExcel(cells.map((row) => row.map((value) => ({ value })))).toBuffer();

export function reportText(
  io: Pick<Io, 'columns' | 'now'>,
  groups: readonly string[],
  view: BounceReport,
): string {
  if (view.rows.length === 0) return 'nothing in that time\n';
  const [, ...cells] = cellsOf(groups, view);
  // The last two are times.
  const rows = cells.map((row) => [
    ...row.slice(0, -2),
    ...row.slice(-2).map((time) => shortClock(io, String(time))),
  ]);
  const columns = [
    ...groups.map((title) => (title === 'reply' ? { title, beneath: true as const } : { title })),
    ...COLUMNS.map((title, i) =>
      i < 2 ? { title, align: 'right' as const } : { title, whole: true as const },
    ),
  ];
  const more = view.more_rows > 0 ? `${view.more_rows} more rows: see --limit\n` : '';
  return `${renderTable(columns, rows, io)}${view.events} events\n${more}`;
}
