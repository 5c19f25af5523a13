/** The calls of the quarantine of the MX. */
import * as z from 'zod';
import type { Call } from './call.ts';
import type { KeptMailRemoved, ReportQuarantineView, KeptMailContent } from './report-quarantine.ts';
import { keptMailBody, keptMailPath, keptMailQuery } from './schemas-reports.ts';

/** Id of the mail in the quarantine that the tests have. */
export const EXAMPLE_KEPT_MAIL = '0p1gwy3x001';

const mail = {
  id: z.string(),
  reason: z.string().describe('Why it had no effect, as in the event `report_rejected`'),
  received: z.string(),
  from: z.string().describe('Reverse-path; empty for most bounces'),
  to: z.array(z.string()),
  peer: z.string(),
  helo: z.string(),
  bytes: z.int(),
};
const list: z.ZodType<ReportQuarantineView> = z.object({
  mails: z.array(z.object(mail)),
  next: z.string().optional(),
  total: z.int(),
  total_bytes: z.int(),
});
const content: z.ZodType<KeptMailContent> = z.object({
  ...mail,
  content: z.string().describe('The mail as it came, in base64'),
});
const removed: z.ZodType<KeptMailRemoved> = z.object({ removed: z.int() });

export const REPORT_QUARANTINE_CALLS: readonly Call[] = [
  {
    method: 'GET',
    path: '/v1/reports/quarantine',
    id: 'listReportQuarantine',
    tag: 'look-ups',
    scope: 'read',
    summary: 'Mail to the MX that had no effect, oldest first, in pages.',
    query: keptMailQuery,
    answer: { status: 200, description: 'Mails, without their content.', schema: list },
    example: { query: { limit: 10 } },
  },
  {
    method: 'GET',
    path: '/v1/reports/quarantine/:id',
    id: 'getReportQuarantined',
    tag: 'look-ups',
    scope: 'operate',
    summary: 'One of them, with its content.',
    params: keptMailPath,
    answer: { status: 200, description: 'The mail.', schema: content },
    refusals: [404],
    example: { params: { id: EXAMPLE_KEPT_MAIL } },
  },
  {
    method: 'DELETE',
    path: '/v1/reports/quarantine',
    id: 'removeFromReportQuarantine',
    action: 'report quarantine remove',
    tag: 'queue',
    scope: 'operate',
    summary: 'Removes some of them, or all.',
    body: keptMailBody,
    answer: { status: 200, description: 'How many were there.', schema: removed },
    refusals: [413, 415, 503],
    example: { body: { all: true } },
  },
];
