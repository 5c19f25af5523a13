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

const quarantineId = z
  .string()
  .regex(/^[0-9a-z]{11}$/i, 'is not the id of a mail in the quarantine: 11 characters such as 0a1b2c3d4e5');

export const keptMailQuery = z.strictObject({
  cursor: quarantineId.optional().describe('`next` of the page before'),
  limit: wholeNumber(1, 1000).default(100),
});
export const keptMailPath = z.strictObject({ id: quarantineId });
export const keptMailBody = z
  .strictObject({ ids: z.array(quarantineId).min(1).max(1000).optional(), all: z.literal(true).optional() })
  .refine(({ ids, all }) => (ids === undefined) !== (all === undefined), 'give either ids or all');
