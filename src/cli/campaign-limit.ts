/** `postrider campaign limit` and `start`: how fast and how far a campaign may go. */
import { Command } from 'commander';
import type { CampaignLimitsView, LimitedCampaign } from '../api/index.ts';
import { connect, type ConnectionOptions, fail, show, withConnection } from './connection.ts';
import { clean, clock, type ExitCode, exitingWith, type Io } from './io.ts';

interface StartOptions extends ConnectionOptions {
  readonly account?: string;
}

interface LimitOptions extends StartOptions {
  readonly rate?: string;
  readonly perStart?: string;
  readonly growFrom?: string;
  readonly growPercent?: string;
  readonly growEvery?: string;
  readonly none?: true;
}

export function limitCommands(io: Io): readonly Command[] {
  const limit = withConnection(new Command('limit').description('replace the limits of a campaign'))
    .argument('<campaign>', 'its campaign_id')
    .option('--account <id>', 'the account that the campaign is of')
    .option('--rate <rate>', 'recipients in a time, such as 1000/1m')
    .option('--per-start <n>', 'recipients from one start to the next; the rest waits')
    .option('--grow-from <rate>', 'the speed of the first time; it grows until it is --rate')
    .option('--grow-percent <n>', 'how much it grows each time')
    .option('--grow-every <duration>', 'how long until it grows')
    .option('--none', 'take all limits away')
    .action(exitingWith((campaign: string, options: LimitOptions) => limitCampaign(io, campaign, options)));
  const start = withConnection(
    new Command('start').description('the next start of a campaign: what its --per-start keeps may go'),
  )
    .argument('<campaign>', 'its campaign_id')
    .option('--account <id>', 'the account that the campaign is of')
    .action(exitingWith((campaign: string, options: StartOptions) => startCampaign(io, campaign, options)));
  return [limit, start];
}

async function limitCampaign(io: Io, campaign: string, options: LimitOptions): Promise<ExitCode> {
  const { account, rate, perStart, growFrom, growPercent, growEvery, none } = options;
  const growth = [growFrom, growPercent, growEvery];
  const grows = growth.some((given) => given !== undefined);
  const given = grows || rate !== undefined || perStart !== undefined;
  const wrong =
    given === (none === true)
      ? 'give limits (--rate, --per-start, --grow-from), or --none to take them away'
      : grows && growth.includes(undefined)
        ? 'a speed that grows needs --grow-from, --grow-percent and --grow-every'
        : undefined;
  if (wrong !== undefined)
    return fail(io, options, { exitCode: 2, code: 'usage', message: wrong, lines: [] });
  const body = {
    account_id: account,
    rate,
    per_start: perStart === undefined ? undefined : Number(perStart),
    ...(grows && { growth: { from: growFrom, percent: Number(growPercent), every: growEvery } }),
  };
  const client = await connect(io, options);
  const result = await client.post<LimitedCampaign>(pathOf(campaign, 'limits'), body);
  return show(io, options, result, limitedText);
}

async function startCampaign(io: Io, campaign: string, options: StartOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const body = { account_id: options.account };
  const result = await client.post<LimitedCampaign>(pathOf(campaign, 'start'), body);
  return show(io, options, result, limitedText);
}

const pathOf = (campaign: string, verb: string): string =>
  `/v1/campaigns/${encodeURIComponent(campaign)}/${verb}`;

const limitedText = ({ account_id: account, campaign_id: campaign, limits }: LimitedCampaign): string =>
  clean(
    `${campaign}${account === '' ? '' : ` of account ${account}`}: ${limits ? limitsText(limits) : 'no limits'}`,
  ) + '\n';

export function limitsText({
  rate,
  rate_now: now,
  per_start: perStart,
  growth,
  started_at: start,
  sent,
}: CampaignLimitsView): string {
  const parts = [
    ...(rate === undefined ? [] : [rate]),
    ...(growth ? [`from ${growth.from}, ${growth.percent} % more every ${growth.every}, ${now} now`] : []),
    ...(perStart === undefined ? [] : [`${sent} of ${perStart} since its start at ${clock(start)}`]),
  ];
  return parts.join('; ');
}
