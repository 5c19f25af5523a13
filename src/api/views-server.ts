/** Answers about the server and the way of mail, as schemas for the OpenAPI document. */
import * as z from 'zod';
import type { AuditReport } from '../queue/index.ts';
import type { AuditLogView } from './audit-log.ts';
import type { BouncePatternsView } from './bounce-patterns.ts';
import { count, lock, time, totalCounts } from './views.ts';

const free = z.record(z.string(), z.unknown());

export const auditLog: z.ZodType<AuditLogView> = z.object({
  entries: z.array(
    z.object({
      id: z.string(),
      time,
      actor: z.object({
        kind: z.enum(['socket', 'token', 'page', 'signal']),
        name: z.string().describe('Of the token or the session; on the socket what the caller says.'),
        address: z.string().optional(),
      }),
      action: z.string(),
      selector: free.describe('What was meant: path, selector, target.'),
      count: count.optional().describe('Deliveries, locks or entries that it was about.'),
      job: z.string().optional(),
      result: z.enum(['started', 'done', 'refused', 'failed']),
      message: z.string().optional(),
    }),
  ),
  next: z.string().optional().describe('Cursor of the next page, of older entries'),
});

const totals = z.object({ ...totalCounts, queued: z.int() });

export const auditReport: z.ZodType<AuditReport> = z.object({
  clean: z.boolean(),
  last_seq: count,
  checked: z.record(z.string(), count).describe('Entries walked, by table.'),
  totals,
  campaigns: z.array(totals.extend({ account: z.string(), campaign: z.string() })),
  violation_count: count,
  violations: z.array(z.object({ text: z.string(), delivery_id: z.string().optional() })),
  possible_duplicates: z.object({ count, delivery_ids: z.array(z.string()) }),
  live_counts_compared: z.boolean().optional(),
});

export const bouncePatterns: z.ZodType<BouncePatternsView> = z.object({
  patterns: z
    .array(
      z.object({
        name: z.string(),
        from: z.enum(['configuration', 'shipped']),
        isp: z.union([z.string(), z.array(z.string())]).describe('`*` is all.'),
        type: z.string(),
        class: z.string(),
        category: z.string(),
        pattern: z.string(),
        message: z.string().optional(),
        hits: count.describe('Since the program started.'),
      }),
    )
    .describe('In the order in which they are tried.'),
  unmatched: z.array(z.object({ text: z.string(), count })),
  unmatched_total: count,
});

const place = (what: string): z.ZodOptional<z.ZodString> =>
  z
    .string()
    .optional()
    .describe(
      `\`file:line\` of ${what}; \`config/...\` are files of the program, absent is what is not in a file.`,
    );

const node = z.looseObject({
  node: z.string(),
  weight: z.number(),
  takes_mail: z.boolean(),
  state: z.string(),
  address: z.string(),
  strategy: z.string(),
  strategy_at: place('the strategy'),
  chosen_by: z.string(),
  chosen_at: place('what chose the strategy'),
  effective: z.object({
    per_second: z.number().nullable(),
    set_by: z.string().optional(),
    set_at: place('what sets the speed'),
    per_day: z.number().nullable(),
    per_day_set_by: z.string().optional(),
    per_day_set_at: place('what sets the limit of the day'),
  }),
  rate_per_second: z.number().nullable(),
  daily_limit: z.number().nullable(),
  max_sessions: count,
  locks: z.array(lock),
  waiting: z.string().optional(),
  last_error: z
    .object({ at: time, text: z.string() })
    .optional()
    .describe('The last thing that went wrong towards these hosts, for any mail.'),
});

export const explainView = z.looseObject({
  recipient: z.string(),
  domain: z.string(),
  virtual_sender: z.string().optional(),
  rule: count.optional(),
  isp: z
    .looseObject({
      name: z.string(),
      matched_by: z.string(),
      entry: z.string(),
      at: place('the domain or mail host that matched'),
    })
    .nullable(),
  counted_by: z.string().optional(),
  hosts_from: z.string(),
  hosts: z.array(z.object({ name: z.string(), addresses: z.array(z.string()), port: count })),
  problem: z.string().optional(),
  stop_list: free.optional(),
  senders: z.array(
    z.looseObject({
      sender: z.string(),
      percent: z.number(),
      lifetime_seconds: z.number(),
      retry_rule: z.string(),
      retry_rule_at: place('the retry rule'),
      retry_rule_chosen_at: place('where the sender names it'),
      locks: z.array(lock),
      nodes: z.array(node),
    }),
  ),
  queued: z.array(
    z.looseObject({
      id: z.string(),
      campaign_id: z.string().optional(),
      state: z.string(),
      sender: z.string(),
      node: z.string(),
      attempts: count,
      next_attempt: time,
      why_waiting: z.string().optional(),
    }),
  ),
});
