/** What the calls about campaigns answer, as schemas for the OpenAPI document. */
import * as z from 'zod';
import type { LimitedCampaign } from './campaign-limits.ts';
import type { CampaignsView } from './campaigns.ts';
import { count, pace, time, totalCounts } from './views.ts';

const limitsView = z.object({
  rate: z.string().optional(),
  rate_now: z.string().optional().describe('The speed of now, where it grows'),
  per_start: count.optional(),
  growth: z.object({ from: z.string(), percent: z.number(), every: z.string() }).optional(),
  started_at: time,
  sent: count.describe('Recipients since the start'),
});

export const limitedCampaign: z.ZodType<LimitedCampaign> = z.object({
  account_id: z.string(),
  campaign_id: z.string(),
  limits: limitsView.nullable(),
});

export const campaignList: z.ZodType<CampaignsView> = z.object({
  campaigns: z.array(
    z.object({
      account_id: z.string(),
      campaign_id: z.string(),
      ...totalCounts,
      queued: count.describe('Sum of `new`, `proc`, `retry` and `hold`'),
      new: count,
      proc: count,
      retry: count,
      hold: count,
      ...pace,
      limits: limitsView.optional(),
    }),
  ),
  next: z.string().optional().describe('Cursor of the next page'),
});
