/** `postrider campaign`: how the mail of campaigns goes. */
import { Command } from 'commander';
import { type CampaignsView, type CampaignView, instead } from '../api/index.ts';
import type { ControlClient } from './client.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { limitCommands, limitsText } from './campaign-limit.ts';
import { clean, clock, type ExitCode, exitingWith, type Io } from './io.ts';
import { ageText, endsInText, rateText } from './pace-text.ts';
import { renderTable } from './table.ts';
import { watched, type WatchOptions, withWatch } from './watch.ts';

const MOST_NAMES = 10_000;

interface ListOptions extends ConnectionOptions, WatchOptions {
  readonly account?: string;
  readonly limit: string;
  readonly after?: string;
}

interface ShowOptions extends ConnectionOptions, WatchOptions {
  readonly account?: string;
}

export function campaignCommand(io: Io): Command {
  const list = withWatch(withConnection(new Command('list').description('all campaigns, in pages')))
    .option('--account <id>', 'only those of this account')
    .option('--limit <n>', 'campaigns of a page', '100')
    .option('--after <cursor>', 'the page that the one before names')
    .action(exitingWith((options: ListOptions) => watched(io, options, (page) => listed(page, options))));
  const one = withWatch(withConnection(new Command('show').description('one campaign')))
    .argument('<campaign>', 'its campaign_id')
    .option('--account <id>', 'where several accounts have a campaign of this name')
    .action(
      exitingWith((campaign: string, options: ShowOptions) =>
        watched(io, options, (page) => shown(page, campaign, options)),
      ),
    );
  const campaign = new Command('campaign').description('campaigns').addCommand(list).addCommand(one);
  for (const command of limitCommands(io)) campaign.addCommand(command);
  return campaign;
}

async function listed(io: Io, options: ListOptions): Promise<ExitCode> {
  const { account, limit, after } = options;
  const client = await connect(io, options);
  const query = queryOf({ account_id: account, limit, cursor: after });
  const result = await client.get<CampaignsView>(`/v1/campaigns?${query}`);
  return show(io, options, result, (view) => campaignsText(io, view));
}

async function shown(io: Io, campaign: string, options: ShowOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const query = queryOf({ account_id: options.account, campaign_id: campaign });
  const result = await client.get<CampaignsView>(`/v1/campaigns?${query}`);
  const near = result.ok && result.value.campaigns.length === 0 ? await nearTo(client, campaign) : '';
  const code = await show(io, options, result, ({ campaigns }) =>
    campaigns.length === 0
      ? clean(`no campaign ${campaign}: nothing was accepted with this campaign_id${near}`) + '\n'
      : campaigns.map(campaignText).join('\n'),
  );
  return code === 0 && result.ok && result.value.campaigns.length === 0 ? 1 : code;
}

async function nearTo(client: ControlClient, campaign: string): Promise<string> {
  const all = await client.get<CampaignsView>(`/v1/campaigns?limit=${MOST_NAMES}`);
  return all.ok
    ? instead(
        campaign,
        all.value.campaigns.map(({ campaign_id: id }) => id),
      )
    : '';
}

const queryOf = (fields: Readonly<Record<string, string | undefined>>): string =>
  new URLSearchParams(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
  ).toString();

export function campaignsText(io: Pick<Io, 'columns' | 'now'>, { campaigns, next }: CampaignsView): string {
  if (campaigns.length === 0) return 'no campaigns\n';
  const right = (title: string) => ({ title, align: 'right' as const });
  const columns = [
    { title: 'account', whole: true as const },
    { title: 'campaign', whole: true as const },
    ...['accepted', 'delivered', 'failed', 'queued', 'hold', '/s', 'ends in'].map(right),
  ];
  const rows = campaigns.map((one) => [
    one.account_id || '-',
    one.campaign_id || '-',
    one.accepted,
    one.delivered,
    failedOf(one),
    one.queued,
    one.hold,
    one.queued > 0 ? rateText(one) : '-',
    endsInText(one, one.queued, io.now()),
  ]);
  return `${renderTable(columns, rows, io)}${next === undefined ? '' : `more: --after ${next}\n`}`;
}

export function campaignText(one: CampaignView): string {
  const { account_id: account, campaign_id: campaign, oldest_seconds: oldest } = one;
  const { estimated_end: end, earliest_end: earliest } = one;
  const lines = [
    `${campaign || '(no campaign)'}${account === '' ? '' : ` of account ${account}`}`,
    `  accepted   ${one.accepted}`,
    `  delivered  ${one.delivered}`,
    `  failed     ${failedOf(one)} (${one.hard_bounced} hard bounces, ${one.undelivered} undelivered, ${one.removed} removed)`,
    `  queued     ${one.queued} (${one.new} new, ${one.proc} proc, ${one.retry} retry, ${one.hold} hold)`,
    ...(oldest === undefined ? [] : [`  oldest     ${ageText(oldest)}`]),
    `  said       ${one.soft_bounces} soft bounces, ${one.complaints} complaints, ${one.unsubscribes} unsubscribes`,
    `  speed      ${rateText(one)}/s over the last minutes`,
    ...(one.limits ? [`  limits     ${limitsText(one.limits)}`] : []),
    ...(end === undefined ? [] : [`  end        about ${clock(end)} at this speed`]),
    ...(earliest === undefined
      ? []
      : [`  end        not before ${clock(earliest)}: the last of it waits for an attempt until then`]),
  ];
  return lines.map((line) => `${clean(line)}\n`).join('');
}

const failedOf = ({ hard_bounced: hard, undelivered, removed }: CampaignView): number =>
  hard + undelivered + removed;
