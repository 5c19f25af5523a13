/** Every call of the control API. */
import type { FastifyRequest } from 'fastify';
import type { Call } from './call.ts';
import { LOOK_UP_CALLS } from './calls-look-up.ts';
import { MAIL_CALLS } from './calls-mail.ts';
import { NODE_CALLS } from './calls-nodes.ts';
import { QUARANTINE_CALLS } from './calls-quarantine.ts';
import { QUEUE_CALLS } from './calls-queue.ts';
import { REPORT_QUARANTINE_CALLS } from './calls-report-quarantine.ts';
import { REPORT_CALLS } from './calls-reports.ts';
import { SERVER_CALLS } from './calls-server.ts';
import { STOP_LIST_CALLS } from './calls-stop-list.ts';

export const CALLS: readonly Call[] = [
  ...MAIL_CALLS,
  ...LOOK_UP_CALLS,
  ...QUEUE_CALLS,
  ...QUARANTINE_CALLS,
  ...STOP_LIST_CALLS,
  ...REPORT_CALLS,
  ...REPORT_QUARANTINE_CALLS,
  ...NODE_CALLS,
  ...SERVER_CALLS,
];

/** What operators can do, as their log calls it. */
export const ACTIONS: readonly string[] = CALLS.flatMap(({ action }) => action ?? []);

const byRoute = new Map(CALLS.map((call) => [`${call.method} ${call.path}`, call]));

/** What the route of a request is described as; undefined for monitoring and for what is not there. */
export const callOf = ({ method, routeOptions }: FastifyRequest): Call | undefined =>
  byRoute.get(`${method} ${routeOptions.url ?? ''}`);
