/** What the calls answer, as schemas for the OpenAPI document; the compiler holds them against the types of the routes. */
import * as z from 'zod';
import type { AcceptedMessage } from './messages.ts';
import type { Ack } from './batch-chunks.ts';
import type { DeliveryView, LabelsView, MessageView } from './deliveries.ts';
import type { LockView } from './nodes.ts';
import type { ErrorView, LaneView, NodeView, ReloadView, SlowedView, WarmupView } from './overview.ts';
import type { AllowanceView, SpeedView } from './speeds.ts';
import { EVENT_TYPES, STATES } from './schemas.ts';

export const count = z.int().min(0);
export const time = z.string().describe('ISO 8601, UTC');
const free = z.record(z.string(), z.unknown());

export const acceptedMessage: z.ZodType<AcceptedMessage> = z.object({
  message_id: z.string(),
  deliveries: z.array(z.object({ id: z.string(), recipient: z.string() })),
  rejected: z.array(z.object({ recipient: z.string(), message: z.string() })),
});

const rejectedLine = z.object({ line: count, field: z.string(), message: z.string() });

export const batchAck: z.ZodType<Ack> = z.object({ acked_through: count, rejected: z.array(rejectedLine) });

export const batchDone = z.object({
  done: z.literal(true),
  message_id: z.string(),
  accepted: count,
  rejected: count,
});

export const errorAnswer = z.object({
  error: z.object({
    code: z.string(),
    message: z.string().describe('One sentence: what is wrong and what to do'),
    details: z.unknown().optional(),
  }),
  acked_through: count.optional().describe('In a batch: lines up to this one are committed or rejected'),
});

const labels: z.ZodType<LabelsView> = z.object({
  virtual_sender: z.string().optional(),
  campaign_id: z.string().optional(),
  account_id: z.string().optional(),
  group: z.string().optional(),
  band: z.string(),
  metadata: free.optional(),
});

const reply = z.object({
  code: z.int().optional(),
  enhanced: z.string().optional(),
  text: z.string(),
  phase: z.string(),
});

const selectorView = z.object({
  sender: z.string().optional(),
  node: z.string().optional(),
  account_id: z.string().optional(),
  campaign_id: z.string().optional(),
  isp: z.string().optional(),
  domain: z.string().optional(),
  recipient: z.string().optional(),
  accepted_before: z.string().optional(),
  all: z.literal(true).optional(),
});

const markView = z.object({
  job: z.string(),
  mark: z.enum(['hold', 'release']),
  selector: selectorView,
  at: z.string(),
  by: z.string().optional(),
});

export const deliveryView = z.object({
  id: z.string(),
  message_id: z.string(),
  recipient: z.string(),
  state: z.enum(STATES),
  labels,
  node: z.string(),
  sender: z.string(),
  isp: z.string().optional(),
  accepted_at: time,
  attempts: z.array(
    z.object({
      at: time,
      node: z.string(),
      mx: z.string().optional(),
      outcome: z.string(),
      reply: reply.optional(),
    }),
  ),
  next_attempt: time.optional(),
  expires: time,
  why_waiting: z.string().optional(),
  hold: markView.optional(),
  possible_duplicate: z.boolean().optional(),
  final: z.object({ type: z.string(), reason: z.string().optional(), at: time }).optional(),
});

export const messageView: z.ZodType<Omit<MessageView, 'deliveries'>> = z.object({
  message_id: z.string(),
  from: z.string(),
  bytes: count,
  kind: z.string(),
  labels,
  accepted_at: time,
  content_kept: z.boolean(),
  deliveries: z.array(deliveryView),
  more: z.boolean().describe('There are more deliveries than were asked for'),
  next: z.string().optional().describe('Cursor of the next page'),
});

export const deliveryList = z.object({
  deliveries: z.array(deliveryView),
  next: z.string().optional().describe('Cursor of the next page'),
});

const counts = { new: count, proc: count, retry: count, hold: count, total: count };
const queueTotals = z.object({
  ...counts,
  quarantined: count.describe('Of these, damaged and set aside'),
  oldest_seconds: z.number().optional(),
});

export const pace = {
  oldest_seconds: z
    .number()
    .optional()
    .describe('As of the last sweep of the queue, or of what came since where nothing waited then'),
  per_second: z.number().describe('Deliveries that ended, over the last minutes'),
  estimated_end: time
    .optional()
    .describe('When what is not held will have ended; the slowest ISP and the limits of campaigns decide'),
  earliest_end: time
    .optional()
    .describe('In place of `estimated_end`: no sooner, by the last next attempt or the rate of its campaign'),
};

export const jobView = z.object({
  job: z.string(),
  operation: z.enum(['hold', 'release', 'purge', 'retry', 'move', 'change', 'redate']),
  dry_run: z.literal(true).optional(),
  state: z.enum(['counting', 'running', 'done']),
  selector: selectorView,
  matched: count,
  done: count,
  pending: count,
  at: z.string(),
});

export const jobList = z.object({ jobs: z.array(jobView) });

export const queueReport = z.object({
  rows: z.array(
    z.object({
      account: z.string().optional(),
      campaign: z.string().optional(),
      isp: z.string().optional(),
      sender: z.string().optional(),
      node: z.string().optional(),
      domain: z.string().optional(),
      ...counts,
      ...pace,
    }),
  ),
  more_rows: count,
  totals: queueTotals,
  marks: z.array(markView),
});

/** Counts of what came in and how it ended. */
export const totalCounts = {
  accepted: count,
  delivered: count,
  hard_bounced: count,
  undelivered: count,
  removed: count,
  soft_bounces: count,
  complaints: count,
  unsubscribes: count,
};

export const eventView = z
  .object({
    seq: count,
    id: z.string(),
    type: z.enum(EVENT_TYPES),
    time,
    delivery_id: z.string().optional(),
    message_id: z.string().optional(),
    campaign_id: z.string().optional(),
    account_id: z.string().optional(),
    recipient: z.string().optional(),
    attempt: count.optional(),
    reply: reply.optional(),
    reason: z.string().optional(),
    test: z.boolean().optional().describe('No statistics count it; `test_of` is the campaign it is of'),
    test_of: z.string().optional(),
    copy_of: z.string().optional(),
    metadata: free.optional(),
  })
  .describe('One event of the journal; a field without a meaning is absent, see the README for all of them');

const problem: z.ZodType<ErrorView> = z.object({ at: time, text: z.string() });

const slowed: z.ZodType<SlowedView> = z.object({
  per_second: z.number(),
  known_per_second: z.number().describe('What the receiver is known to bear.'),
  changed_at: time,
  reason: z.string(),
  lowered_at: time,
  lowered_because: z.string(),
});

const warmup: z.ZodType<WarmupView> = z.object({
  plan: z.string(),
  stage: count.describe('From 1.'),
  stages: count,
  daily_cap: count,
  day: z.string().describe('The last day with mail; the counts are of that day.'),
  delivered: count,
  hard_bounces: count,
  blocks: count,
  paused_until: time.optional(),
  reason: z.string(),
});

const lane: z.ZodType<LaneView> = z.object({
  isp: z.string(),
  key: z.string(),
  strategy: z.string(),
  sessions: count,
  max_sessions: count,
  rate_per_second: z.number().nullable(),
  slowed: slowed.optional().describe('A speed that was lowered by replies or by a rule.'),
  warmup: warmup.optional().describe('How far the warm-up of the address is.'),
  in_flight: count,
  queues: count,
  waiting: z.string().optional(),
  last_error: problem.optional(),
});

export const lock: z.ZodType<LockView> = z.object({
  id: z.string(),
  scope: z.string(),
  node: z.string().optional(),
  sender: z.string().optional(),
  isp: z.string().optional(),
  lane: z.string().optional(),
  rule: z.string().optional(),
  state: z.enum(['locked', 'probing']),
  since: time,
  until: time.optional(),
  seconds_left: count.optional(),
  level: count,
  waiting: z.string(),
  reason: z.string(),
  reply: free.optional(),
});

const node = {
  name: z.string(),
  address: z.string(),
  state: z.string(),
  state_since: time.optional().describe('Since when it does not run; an outage: as the program saw it.'),
  sessions: count,
  max_sessions: count,
};

export const lockList = z.object({ locks: z.array(lock) });

export const nodeDone = z.object({
  node: z.string(),
  state: z.string(),
  lifted: count.optional().describe('Locks that were lifted.'),
});

export const nodeList: z.ZodType<{ nodes: NodeView[] }> = z.object({
  nodes: z.array(
    z.object({
      ...node,
      locks: z.array(lock),
      hostname: z.string(),
      attempts: count,
      delivered: count,
      last_error: problem.optional(),
      lanes: z.array(lane),
    }),
  ),
});

const allowance: z.ZodType<AllowanceView> = z.object({
  per_minute: z.number().nullable().describe('Recipients; null: no limit.'),
  per_hour: z.number().nullable(),
  per_day: z.number().nullable(),
});

export const speedList: z.ZodType<{ speeds: SpeedView[] }> = z.object({
  speeds: z.array(
    z.object({
      sender: z.string(),
      isp: z.string().describe('`other`: each set of hosts of no ISP, one by one.'),
      node: z.string().optional().describe('Absent: all nodes of the sender together.'),
      address: z.string().optional(),
      strategy: z.string().optional().describe('Absent: several strategies are summed up.'),
      allowed: allowance.describe('By the strategy and the caps.'),
      now: allowance.describe('Also by lowered speeds, warm-ups, locks and states of nodes.'),
      because: z.array(z.string()).describe('What makes `now` lower than `allowed`.'),
    }),
  ),
});

export const statusView = z.object({
  version: z.string(),
  hostname: z.string(),
  up_since: time,
  uptime_seconds: count,
  clock_set_seconds: z
    .int()
    .optional()
    .describe('By how much the wall clock was set forward (with a minus: back) since the start, if it was.'),
  durability: z.string(),
  commits: z
    .object({ count, mean_ms: z.number().optional(), slow: count })
    .describe('Of the last minute; `slow`: that took `alerts.slow_commit` or longer, or have by now.'),
  ready: z.boolean(),
  not_ready: z.array(z.string()),
  alerts: z
    .array(
      z.object({
        name: z.string(),
        isp: z.string().optional(),
        node: z.string().optional(),
        since: time,
        gone_since: time
          .optional()
          .describe(
            'When its cause was seen last: it ends soon (`alerts.clear_after`) unless that comes back.',
          ),
        text: z.string(),
      }),
    )
    .describe('What is wrong now, the oldest first.'),
  flow: z
    .object({
      since: time,
      delivered: count,
      soft_bounces: count,
      hard_bounces: count,
      last_delivered_at: time.optional(),
      waiting: z.array(
        z.object({
          isp: z.string(),
          count,
          oldest_seconds: count,
          seconds_since_delivered: count,
          why: z.string().optional(),
        }),
      ),
      more_waiting: count,
    })
    .describe('What went out lately, and what waits; where nothing was taken for longest first.'),
  data_dir: z.string(),
  config_file: z.string(),
  counters: z.object({ ...totalCounts, queued: count }),
  queue: queueTotals,
  nodes: z.array(z.object(node)),
  events: z.object({ first_seq: count, last_seq: count }),
  inbound: z
    .object({
      waiting: count,
      waiting_bytes: count,
      oldest_seconds: count.optional(),
      early: count.describe('Deliveries whose reports wait for their end'),
      quarantined: count,
      quarantined_bytes: count,
      reports: z
        .array(z.object({ kind: z.string(), verdict: z.string(), count }))
        .describe('Since the start: what the mails were, and what they led to'),
    })
    .describe('Mail to the MX.'),
});

export const reloadView: z.ZodType<ReloadView> = z.object({
  changed: z.array(z.string()),
  needs_restart: z.array(z.string()),
});

/** Fails to compile when a delivery is answered with more than is described. */
export type DescribedDelivery = keyof DeliveryView extends keyof z.infer<typeof deliveryView> ? true : never;
