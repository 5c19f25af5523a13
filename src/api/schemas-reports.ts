/** The requests of `/v1/reports`. */
import * as z from 'zod';
import { time, wholeNumber } from './fields.ts';

export const REPORT_GROUPS = [
  'type',
  'reason',
  'from_domain',
  'node',
  'isp',
  'campaign',
  'account',
  'sender',
  'class',
  'category',
  'reply',
] as const;
export type ReportGroup = (typeof REPORT_GROUPS)[number];

export const reportQuery = z.strictObject({
  from: time.optional(),
  to: time.optional(),
  group_by: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(REPORT_GROUPS)))
    .default(['category', 'reply']),
  format: z.enum(['json', 'csv']).default('json'),
  limit: wholeNumber(1, 50_000).default(1000),
});
export type ReportQuery = z.infer<typeof reportQuery>;
