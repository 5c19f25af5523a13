/** `postrider explain ADDRESS`: which way mail to the address would take, and what stands in it. */
import { Command } from 'commander';
import type { ExplainedNode, ExplainView, LockView } from '../api/index.ts';
import { formatDuration } from '../core/index.ts';
import { connect, type ConnectionOptions, fail, show, withConnection } from './connection.ts';
import { clean, clock, type ExitCode, exitingWith, type Io } from './io.ts';
import { replyText, whyText } from './story.ts';

interface ExplainOptions extends ConnectionOptions {
  readonly sender?: string;
  readonly virtualSender?: string;
  readonly from?: string;
  readonly group?: string;
  readonly account?: string;
}

export const explainCommand = (io: Io): Command =>
  withConnection(
    new Command('explain').description('which way mail to an address takes, and what stands in it'),
  )
    .argument(
      '<address>',
      'or the name of an ISP or a domain: of the mail that waits for it, what is due first',
    )
    .option('--sender <name>', 'as if it were sent by this sender')
    .option('--virtual-sender <name>', 'as if it were sent by this virtual sender')
    .option('--from <address>', 'From address, for the rules of a virtual sender')
    .option('--group <label>', 'group, for the rules of a virtual sender')
    .option('--account <id>', 'account, for its entries of the stop list')
    .action(exitingWith((to: string, options: ExplainOptions) => explain(io, to, options)));

async function explain(io: Io, to: string, options: ExplainOptions): Promise<ExitCode> {
  const { sender, virtualSender, from, group, account } = options;
  const about = to.includes('@') ? 'recipient' : to.includes('.') ? 'domain' : 'isp';
  const asked = { [about]: to, sender, virtual_sender: virtualSender, from, group, account_id: account };
  const given = Object.entries(asked).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const],
  );
  const client = await connect(io, options);
  const result = await client.get<ExplainView>(
    `/v1/explain?${new URLSearchParams(Object.fromEntries(given)).toString()}`,
  );
  if (!result.ok && result.error.message.includes(': name a ')) {
    const option = result.error.message.includes('virtual') ? '--virtual-sender' : '--sender';
    const message = `${result.error.message}; say which with ${option}`;
    return fail(io, options, { ...result.error, message });
  }
  return show(io, options, result, (view) => explainText(io, view));
}

export function explainText(paper: Pick<Io, 'now'>, view: ExplainView): string {
  const { isp, hosts, problem, queued } = view;
  const rule = view.rule === undefined ? '' : `, rule ${view.rule}`;
  const lines = [
    `to        ${clean(view.recipient)}`,
    ...(view.virtual_sender === undefined ? [] : [`through   virtual sender ${view.virtual_sender}${rule}`]),
    isp
      ? `ISP       ${isp.name}, by ${isp.matched_by} ${isp.entry}${place(isp.at)}`
      : `ISP       none: counted by ${view.counted_by ?? 'nothing, its hosts are not known'}`,
    problem === undefined
      ? `hosts     ${hosts.map(({ name }) => name).join(', ')} (${view.hosts_from === 'route' ? 'a route of the configuration' : 'MX'})`
      : `hosts     none: ${clean(problem)}`,
    ...(view.stop_list ? [stopLine(view.stop_list)] : []),
    ...view.senders.flatMap(senderLines),
    ...(queued.length === 0
      ? ['queued    nothing to this address']
      : queued.map((one) => queuedLine(paper, one))),
  ];
  return `${lines.join('\n')}\n`;
}

const senderLines = ({
  sender,
  percent,
  retry_rule: retry,
  retry_rule_at: retryAt = BUILT_IN,
  lifetime_seconds: lifetime,
  nodes,
  locks,
}: ExplainView['senders'][number]): string[] => [
  `sender    ${sender}, ${percent} % of such mail, retry rule ${retry}${place(retryAt)}, lifetime ${formatDuration(lifetime * 1000)}`,
  ...locks.map((lock) => `  ${lockText(lock)}`),
  ...[...Map.groupBy(nodes, (node) => settingsLines(node).join('\n') + stateOf(node)).values()].flatMap(
    nodeLines,
  ),
  ...lastErrorLine(nodes),
];

/** Of all nodes, what happened last. */
function lastErrorLine(nodes: readonly ExplainedNode[]): string[] {
  const errors = nodes.flatMap(({ node, last_error: error }) => (error ? [{ node, ...error }] : []));
  const [last] = errors.sort((a, b) => (a.at < b.at ? 1 : -1));
  return last ? [`  last error from ${last.node}, ${clock(last.at)}: ${clean(last.text)}`] : [];
}

const BUILT_IN = 'built in';

const place = (at: string | undefined): string => (at === undefined ? '' : ` (${clean(at)})`);

const setBy = (setting = '', at?: string): string =>
  at === undefined ? clean(setting) : `${clean(setting)}, ${clean(at)}`;

const MOST_NAMES = 8;

const stateOf = ({ state, weight, takes_mail: takes }: ExplainedNode): string =>
  `${state}, weight ${weight}${takes ? '' : ', takes no new mail'}`;

/** Nodes with the same settings, of which there may be a hundred, share their lines. */
function nodeLines(alike: readonly ExplainedNode[]): string[] {
  const [first] = alike;
  const names = alike.slice(0, MOST_NAMES).map(({ node, address }) => `${node} (${address})`);
  const more = alike.length > MOST_NAMES ? ` and ${alike.length - MOST_NAMES} more` : '';
  const head =
    alike.length === 1
      ? `  node    ${names[0]} is ${stateOf(first!)}`
      : `  nodes   ${names.join(', ')}${more} are ${stateOf(first!)} each`;
  return [head, ...settingsLines(first!)];
}

function settingsLines(node: ExplainedNode): string[] {
  const { per_second: speed, set_by: by, set_at: at } = node.effective;
  const { per_day: day, per_day_set_by: dayBy, per_day_set_at: dayAt } = node.effective;
  const limits = [
    speed === null ? 'no limit of speed' : `${Number((speed * 60).toFixed(2))} a minute (${setBy(by, at)})`,
    ...(day === null ? [] : [`${day} a day (${setBy(dayBy, dayAt)})`]),
    `${node.max_sessions} ${node.max_sessions === 1 ? 'session' : 'sessions'}`,
  ];
  return [
    `          speed: ${limits.join(', ')}`,
    `          strategy ${node.strategy}${place(node.strategy_at ?? BUILT_IN)}, by ${node.chosen_by}${place(node.chosen_at)}`,
    ...node.locks.map((lock) => `          ${lockText(lock)}`),
    ...(node.waiting === undefined || node.locks.length > 0
      ? []
      : [`          waits: ${clean(node.waiting)}`]),
  ];
}

function stopLine(entry: NonNullable<ExplainView['stop_list']>): string {
  const { address, domain, pattern, source, reason, added, expires } = entry;
  const what = address ?? domain ?? pattern ?? '';
  const why = reason === undefined ? '' : `: ${clean(reason)}`;
  const end = expires === undefined ? '' : `, until ${clock(expires)}`;
  return `stopped   ${clean(what)} is in the stop list (${source}, since ${clock(added)}${end})${why}`;
}

function lockText({ id, rule, state, seconds_left: left, reason, waiting }: LockView): string {
  const end = left === undefined ? 'until it is lifted' : `for ${formatDuration(left * 1000)}`;
  const when = state === 'probing' ? 'one delivery goes first to try' : end;
  return `lock ${id} ${rule === undefined ? 'by hand' : `by ${rule}`}, ${when}, mail ${waiting}s: ${clean(reason)}`;
}

function queuedLine(paper: Pick<Io, 'now'>, one: ExplainView['queued'][number]): string {
  const { id, node, attempts, next_attempt: next, last_reply: reply, why_waiting: why } = one;
  const made = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  const wait = Date.parse(next) - paper.now();
  const due = wait > 0 ? `next ${clock(next)}, in ${formatDuration(wait)}` : `due since ${clock(next)}`;
  const when = { new: due, retry: due, proc: 'a session has it now' }[one.state];
  const parts = [made, when, why && whyText(paper, why)].filter((part) => part !== undefined);
  const said = reply ? `; last reply, ${clock(reply.at)}: ${replyText(reply)}` : '';
  const campaign = one.campaign_id === undefined ? '' : ` of campaign ${clean(one.campaign_id)}`;
  return `queued    ${id}${campaign} on ${node}, ${parts.join(', ')}${said}`;
}
