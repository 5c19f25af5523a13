/** `postrider route`: how a file of recipients would be split. Reads the configuration only; nothing is sent or stored. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { parse } from 'csv-parse/sync';
import { formatProblem, loadConfig } from '../config/index.ts';
import { domainOf, err, formatAddress, ok, parseAddress, type Result } from '../core/index.ts';
import { FreshTurns, type Routed, Router } from '../routing/index.ts';
import type { Problem } from './client.ts';
import { DEFAULT_CONFIG, fail, show } from './connection.ts';
import { clean, exitingWith, type ExitCode, type Io } from './io.ts';
import { renderTable } from './table.ts';

interface Options {
  readonly config: string;
  readonly file: string;
  readonly virtualSender?: string;
  readonly from?: string;
  readonly group?: string;
  readonly json?: true;
}

interface RouteRow {
  readonly virtual_sender: string | undefined;
  /** Position of the rule, from 1. */
  readonly rule: number | undefined;
  readonly sender: string;
  readonly node: string;
  count: number;
}

interface RouteReport {
  readonly total: number;
  readonly rows: readonly RouteRow[];
  readonly rejected: readonly { readonly line: number; readonly message: string }[];
}

/** Columns by which a file with a header names its recipients. */
const COLUMNS = ['recipient', 'to', 'email', 'address'];
const SHOWN_REJECTED = 20;

export const routeCommand = (io: Io): Command =>
  new Command('route')
    .description('show how a file of recipients would be split to senders and nodes')
    .requiredOption('--file <csv>', `recipients: a column ${COLUMNS.join(', ')}, or one address per line`)
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .option('--virtual-sender <name>', 'virtual sender to use (default: the only one)')
    .option('--from <address>', 'address of From, for rules that look at it')
    .option('--group <label>', 'group label, for rules that look at it; a column `group` goes before it')
    .option('--json', 'print JSON')
    .action(exitingWith((options: Options) => route(io, options)));

async function route(io: Io, options: Options): Promise<ExitCode> {
  const loaded = await loadConfig(options.config);
  if (!loaded.ok)
    return fail(io, options, usage('the configuration has errors', loaded.error.map(formatProblem)));
  const lines = await readRecipients(options.file);
  if (!lines.ok) return fail(io, options, lines.error);
  const router = new Router(loaded.value.config, () => true);
  const named = router.check({ sender: undefined, virtualSender: options.virtualSender, allowed: undefined });
  if (!named.ok) return fail(io, options, usage(named.error.text));
  const report = split(router, lines.value, options);
  const code = await show(io, options, ok(report), (value) => reportText(io, value));
  return code === 0 && report.rejected.length > 0 ? 1 : code;
}

const usage = (message: string, lines: readonly string[] = []): Problem => ({
  exitCode: 2,
  code: 'usage',
  message,
  lines,
});

interface Recipient {
  readonly line: number;
  readonly address: string;
  readonly group: string | undefined;
}

async function readRecipients(file: string): Promise<Result<readonly Recipient[], Problem>> {
  try {
    const rows = parse(await readFile(file), {
      bom: true,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      trim: true,
      skip_empty_lines: true,
    });
    return ok(recipientsOf(rows as unknown as readonly CsvRow[]));
  } catch (error) {
    return err(usage(`${file} cannot be read: ${(error as Error).message}`));
  }
}

interface CsvRow {
  readonly info: { readonly lines: number };
  readonly record: readonly string[];
}

function recipientsOf(rows: readonly CsvRow[]): Recipient[] {
  const names = (rows[0]?.record ?? []).map((name) => name.toLowerCase());
  const named = names.findIndex((name) => COLUMNS.includes(name));
  const group = named < 0 ? -1 : names.indexOf('group');
  return rows.slice(named < 0 ? 0 : 1).map(({ info, record }) => ({
    line: info.lines,
    address: record[Math.max(0, named)] ?? '',
    group: record[group],
  }));
}

function split(router: Router, recipients: readonly Recipient[], options: Options): RouteReport {
  const rows = new Map<string, RouteRow>();
  const rejected: { line: number; message: string }[] = [];
  const fromEmail = options.from ?? '';
  const turns = new FreshTurns();
  for (const { line, address, group } of recipients) {
    const parsed = parseAddress(address);
    if (!parsed.ok) {
      rejected.push({ line, message: parsed.error });
      continue;
    }
    const recipient = formatAddress(parsed.value);
    const routed = router.route({
      sender: undefined,
      virtualSender: options.virtualSender,
      allowed: undefined,
      group: group ?? options.group,
      fromEmail,
      fromDomain: fromEmail === '' ? '' : domainOf(fromEmail),
      toDomain: domainOf(recipient),
      recipient,
    });
    if (!routed.ok) rejected.push({ line, message: routed.error.text });
    else count(rows, routed.value(turns));
  }
  const sorted = [...rows.values()].sort((a, b) => (a.rule ?? 0) - (b.rule ?? 0) || b.count - a.count);
  return { total: recipients.length - rejected.length, rows: sorted, rejected };
}

function count(rows: Map<string, RouteRow>, { virtualSender, rule, sender, node }: Routed): void {
  const key = [rule, sender.name, node].join('\0');
  const row = rows.get(key) ?? { virtual_sender: virtualSender, rule, sender: sender.name, node, count: 0 };
  row.count++;
  rows.set(key, row);
}

const TABLE = [
  { title: 'rule', align: 'right' },
  { title: 'sender' },
  { title: 'node' },
  { title: 'recipients', align: 'right' },
  { title: '% of the rule', align: 'right' },
] as const;

function reportText(io: Io, { total, rows, rejected }: RouteReport): string {
  const perRule = new Map<number | undefined, number>();
  for (const { rule, count: n } of rows) perRule.set(rule, (perRule.get(rule) ?? 0) + n);
  const cells = rows.map(({ rule, sender, node, count: n }) => [
    rule,
    sender,
    node,
    n,
    ((n / perRule.get(rule)!) * 100).toFixed(1),
  ]);
  const named = rows[0]?.virtual_sender;
  const head = `${total} recipients${named === undefined ? '' : ` by ${named}`}\n`;
  const bad = rejected
    .slice(0, SHOWN_REJECTED)
    .map(({ line, message }) => `line ${line}: ${clean(message)}\n`);
  const more = rejected.length > SHOWN_REJECTED ? `and ${rejected.length - SHOWN_REJECTED} more\n` : '';
  return head + renderTable(TABLE, cells, io) + bad.join('') + more;
}
