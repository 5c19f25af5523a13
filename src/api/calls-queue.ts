/** Calls that act on what waits. */
import type * as z from 'zod';
import type { Call } from './call.ts';
import { changeBody, jobPath, moveBody, simpleBody } from './schemas-operations.ts';
import { noQuery } from './schemas.ts';
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
