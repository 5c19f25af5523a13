/**
 * `postrider queue hold|release|purge|retry|move|change`: says how many deliveries fit, asks, and follows the job to its
 * end. Without a terminal to ask on it wants `--yes`.
 */
import { Command } from 'commander';
import { instead, type JobView, type QueueReport } from '../api/index.ts';
import { ok, type Result } from '../core/index.ts';
import type { ControlClient, Problem } from './client.ts';
import { connect, type ConnectionOptions, fail, show, withConnection } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io } from './io.ts';
import { asks, type ConfirmOptions, confirmed, withConfirmation } from './confirm.ts';

const LOOK_MS = 300;
const MOST_NAMES = 10_000;

interface Options extends ConnectionOptions, ConfirmOptions {
  readonly sender?: string;
  readonly node?: string;
  readonly account?: string;
  readonly campaign?: string;
  readonly isp?: string;
  readonly domain?: string;
  readonly recipient?: string;
  readonly olderThan?: string;
  readonly all?: true;
  readonly toNode?: string;
  readonly toSender?: string;
  readonly toBand?: string;
}

/** They are also about mail that comes later. */
const STANDING: ReadonlySet<string> = new Set(['hold', 'release']);

const TOUCHED: Readonly<Record<string, string>> = {
  release: 'of these only what is held is touched',
  retry: 'of these only what waits for its next attempt is touched',
};

const WORDS: Readonly<Record<string, string>> = {
  hold: 'keep mail from being sent, also mail that comes later, until it is released',
  release: 'let go what is held',
  purge: 'remove mail; it ends as undelivered with the reason removed',
  retry: 'try again now what waits for its next attempt',
  move: 'give mail to another node (--to-node), or to another sender (--to-sender)',
  change: 'give mail another band (--to-band) or sender (--to-sender)',
};

export const operationCommands = (io: Io): Command[] =>
  Object.entries(WORDS).map(([name, text]) => {
    const command = withConnection(new Command(name).description(text))
      .option('--sender <name>', 'mail of a sender')
      .option('--node <name>', 'mail of a node')
      .option('--account <id>', 'mail of an account')
      .option('--campaign <id>', 'mail of a campaign')
      .option('--isp <name>', 'mail to an ISP')
      .option('--domain <name>', 'mail to a domain')
      .option('--recipient <address>', 'mail to one address')
      .option('--older-than <duration>', 'mail that was accepted so long ago')
      .option('--all', 'the whole queue')
      .action(exitingWith((options: Options) => operate(io, name, options)));
    withConfirmation(command, 'how many deliveries fit');
    if (name === 'move') command.option('--to-node <name>', 'where it goes');
    if (name === 'change') command.option('--to-band <band>', 'priority, geo or standard');
    if (name === 'move' || name === 'change') command.option('--to-sender <name>', 'whose it is then');
    return command;
  });

async function operate(io: Io, name: string, options: Options): Promise<ExitCode> {
  const missing = withoutSelector(name, options);
  if (missing) return fail(io, options, missing);
  const client = await connect(io, options);
  const path = `/v1/queue/${name}`;
  const body = requestOf(name, options);
  const first = await client.post<JobView>(path, { ...body, dry_run: true });
  const preview = first.ok ? await followed(io, client, first.value, options) : first;
  if (preview.ok && preview.value.matched === 0) io.err(await meant(client, options));
  if (!preview.ok || options.dryRun) return show(io, options, preview, ({ matched }) => fits(name, matched));
  const { matched } = preview.value;
  if (matched === 0 && !STANDING.has(name) && asks(io, options))
    return show(io, options, preview, () => `${name}: nothing matches\n`);
  const agreed = await confirmed(io, options, question(name, matched));
  if (!agreed.ok) return fail(io, options, agreed.error);
  if (!agreed.value) return 1;
  const started = await client.post<JobView>(path, body);
  const ended = started.ok ? await followed(io, client, started.value, options) : started;
  return show(io, options, ended, (job) => jobText(name, job));
}

const question = (name: string, matched: number): string =>
  matched === 0 && STANDING.has(name)
    ? `nothing matches now; ${name} what comes later?`
    : `${name} ${matched} deliveries${only(name)}?`;

/** What fits is counted whatever its state; these touch a part of it. */
const only = (name: string): string => (name in TOUCHED ? ` (${TOUCHED[name]!})` : '');

/** The server would say it in the words of its API. */
function withoutSelector(name: string, options: Options): Problem | undefined {
  const { sender, node, account, campaign, isp, domain, recipient, olderThan, all } = options;
  if (
    [sender, node, account, campaign, isp, domain, recipient, olderThan, all].some((one) => one !== undefined)
  )
    return undefined;
  const message = `nothing is selected: say which mail to ${name} with --campaign, --isp, --sender, --node, --account, --domain, --recipient or --older-than, or --all for the whole queue`;
  return { exitCode: 2, code: 'invalid', message, lines: [] };
}

function requestOf(name: string, options: Options): object {
  const { sender, node, account, campaign, isp, domain, recipient, olderThan, all } = options;
  const fields = { sender, node, isp, domain, recipient, all };
  const selector = { ...fields, account_id: account, campaign_id: campaign, older_than: olderThan };
  if (name !== 'move' && name !== 'change') return { selector };
  return { selector, target: { node: options.toNode, sender: options.toSender, band: options.toBand } };
}

/** Waits until the job is done; Ctrl-C ends the waiting, not the job. */
async function followed(
  io: Io,
  client: ControlClient,
  started: JobView,
  { json }: ConnectionOptions,
): Promise<Result<JobView, Problem>> {
  const stop = io.interrupted();
  let job = started;
  while (job.state !== 'done' && !stop.aborted) {
    if (!json && io.columns !== undefined) io.err(`\r${job.done} of ${job.matched} done `);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      stop.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
    const next = await client.get<JobView>(`/v1/jobs/${job.job}`);
    if (!next.ok) return next;
    job = next.value;
  }
  if (!json && io.columns !== undefined && job !== started) io.err('\n');
  return ok(job);
}

/** What nothing fits may be misspelt: says which name in the queue is near. It may also be right, for mail to come. */
async function meant(client: ControlClient, options: Options): Promise<string> {
  const notes: string[] = [];
  for (const group of ['sender', 'node', 'account', 'campaign', 'isp', 'domain'] as const) {
    const name = options[group];
    if (name === undefined) continue;
    const report = await client.get<QueueReport>(`/v1/queue?group_by=${group}&limit=${MOST_NAMES}`);
    const names = report.ok ? report.value.rows.map((row) => row[group] ?? '') : [];
    if (names.includes(name)) continue;
    const near = instead(name, names);
    if (near !== '') notes.push(`nothing of ${group} ${name} is in the queue${near}\n`);
  }
  return clean(notes.join('').trimEnd()) + (notes.length > 0 ? '\n' : '');
}

const fits = (name: string, matched: number): string =>
  matched === 0
    ? 'no delivery fits: postrider queue list --by isp,campaign,sender shows what there is\n'
    : `${matched} deliveries fit${only(name)}\n`;

function jobText(name: string, { job, state, matched, done, pending }: JobView): string {
  const later = name === 'hold' ? ' now' : '';
  if (state === 'done' && matched === 0) return `${name}: nothing matches${later} (job ${job})\n`;
  if (state === 'done') return `${name}: ${done} of ${matched} deliveries done (job ${job})\n`;
  return `${name}: ${done} of ${matched} deliveries done, ${pending} to do; job ${job} goes on\n`;
}
