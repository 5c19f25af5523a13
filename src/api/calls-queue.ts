/** Calls that act on what waits. */
import type * as z from 'zod';
import type { Call } from './call.ts';
import { campaignPath, limitsBody, startBody } from './campaign-limits.ts';
import { changeBody, jobPath, moveBody, simpleBody } from './schemas-operations.ts';
import { noQuery } from './schemas.ts';
import { limitedCampaign } from './views-campaigns.ts';
import { jobList, jobView } from './views.ts';

/** The same for all operations: the first answer comes at once, the job goes on by itself. */
const operation = (
  name: string,
  summary: string,
  { body, example }: { readonly body: z.ZodType; readonly example: object },
): Call => ({
  method: 'POST',
  path: `/v1/queue/${name}`,
  id: `${name}Queue`,
  action: `queue ${name}`,
  tag: 'queue',
  scope: 'operate',
  bound: 'by accounts and senders',
  summary,
  description:
    'The selector names what is meant, `all: true` all of the queue. With `dry_run` it is only counted, with status ' +
    '200. The answer comes soon; `GET /v1/jobs/{id}` says how a job goes on.',
  body,
  answer: { status: 202, description: 'The job.', schema: jobView },
  refusals: [503],
  example: { body: example },
});

const CAMPAIGN = { selector: { campaign_id: 'spring' } };

export const QUEUE_CALLS: readonly Call[] = [
  operation('hold', 'Keep mail from being sent, also mail that comes later', {
    body: simpleBody,
    example: CAMPAIGN,
  }),
  operation('release', 'Let go what is held', { body: simpleBody, example: CAMPAIGN }),
  operation('purge', 'Remove mail', {
    body: simpleBody,
    example: { selector: { isp: 'gmail', older_than: '2h' } },
  }),
  operation('retry', 'Try again now', { body: simpleBody, example: { selector: { domain: 'example.net' } } }),
  operation('move', 'Give mail to another node or sender', {
    body: moveBody,
    example: { selector: { node: 'n1' }, target: { node: 'n2' } },
  }),
  operation('change', 'Give mail another band or sender', {
    body: changeBody,
    example: { ...CAMPAIGN, target: { band: 'priority' } },
  }),
  {
    method: 'POST',
    path: '/v1/campaigns/:id/limits',
    id: 'setCampaignLimits',
    action: 'campaign limits',
    tag: 'queue',
    scope: 'operate',
    bound: 'by accounts',
    summary: 'Limit how fast and how far a campaign goes',
    description:
      'Replaces all limits of the campaign, also while it runs; a body without any takes them away. They hold over all ' +
      'nodes and ISPs and over restarts, until they are set anew.',
    params: campaignPath,
    body: limitsBody,
    answer: { status: 200, description: 'The limits as they are now.', schema: limitedCampaign },
    refusals: [503],
    example: {
      params: { id: 'spring' },
      body: {
        account_id: 'shop',
        rate: '1000/1m',
        per_start: 50_000,
        growth: { from: '100/1m', percent: 50, every: '1h' },
      },
    },
  },
  {
    method: 'POST',
    path: '/v1/campaigns/:id/start',
    id: 'startCampaign',
    action: 'campaign start',
    tag: 'queue',
    scope: 'operate',
    bound: 'by accounts',
    summary: 'Begin the next start of a campaign: what its cap per start keeps may go',
    params: campaignPath,
    body: startBody,
    answer: { status: 200, description: 'The limits as they are now.', schema: limitedCampaign },
    refusals: [404, 503],
    example: { params: { id: 'limited' }, body: {} },
  },
  {
    method: 'GET',
    path: '/v1/jobs',
    id: 'listJobs',
    tag: 'queue',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'Operations that are under way or were done lately',
    query: noQuery,
    answer: { status: 200, description: 'The jobs, the oldest first.', schema: jobList },
    example: {},
  },
  {
    method: 'GET',
    path: '/v1/jobs/:id',
    id: 'getJob',
    tag: 'queue',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'How an operation goes on',
    params: jobPath,
    answer: { status: 200, description: 'The job.', schema: jobView },
    refusals: [404],
    example: { params: { id: '1' } },
  },
];
