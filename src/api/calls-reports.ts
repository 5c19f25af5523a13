/** The calls that sum up why mail was not delivered. */
import * as z from 'zod';
import type { Call } from './call.ts';
import type { BounceReport } from './reports.ts';
import { REPORT_GROUPS, reportQuery } from './schemas-reports.ts';

const count = z.int().min(0);
const row = z.object({
  group: z.partialRecord(z.enum(REPORT_GROUPS), z.string()),
  count,
  late: count.describe('Of these: told by a report after the mail had been taken'),
  first: z.string(),
  last: z.string(),
});

const report: z.ZodType<BounceReport> = z.object({
  from: z.string().optional(),
  to: z.string().optional(),
  events: count,
  rows: z.array(row),
  more_rows: count,
});

const call = (name: 'bounces' | 'undelivered', id: string, summary: string): Call => ({
  method: 'GET',
  path: `/v1/reports/${name}`,
  id,
  tag: 'look-ups',
  scope: 'read',
  summary,
  description: 'Numbers, addresses and ids in replies are folded, so that equal causes add up.',
  query: reportQuery,
  answer: { status: 200, description: 'The largest groups first.', schema: report },
  example: { query: { from: '24h', group_by: 'isp,category' } },
});

export const REPORT_CALLS: readonly Call[] = [
  call('bounces', 'reportBounces', 'Refusals, hard and soft, summed up'),
  call('undelivered', 'reportUndelivered', 'Deliveries that were given up, summed up'),
];
