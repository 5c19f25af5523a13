/**
 * The requests of the API. These schemas check every body, query and batch line, and are the only source of their
 * types. Times stay texts here and become numbers where the clock is known (`labelsOf`).
 */
import * as z from 'zod';
import type { EventType } from '../core/index.ts';
import { MAX_LABEL } from '../mta/ingress/index.ts';
import type { DeliveryState } from '../queue/index.ts';
import {
  address,
  campaignLimits,
  deliveryId,
  label,
  messageId,
  metadata,
  record,
  time,
  wholeNumber,
} from './fields.ts';

const MAX_RECIPIENTS = 10_000;

const MOST_COPIES = 20;

/** Who sees mail of the campaign besides its recipients. */
const copies = z
  .array(
    z.strictObject({
      to: address,
      first: z
        .int()
        .min(1)
        .optional()
        .describe('Only of the first so many recipients that are accepted; else of all, as a blind copy.'),
    }),
  )
  .max(MOST_COPIES, `has more than ${MOST_COPIES}`)
  .describe('Addresses that get the same mail as a recipient. No statistics count it.');

const labels = {
  virtual_sender: label.optional(),
  sender: label.optional(),
  campaign_id: label.optional(),
  account_id: label.optional(),
  group: label.optional(),
  band: z.enum(['priority', 'geo', 'standard']).optional().describe('Default: standard'),
  deadline: time.optional().describe('Only in the band geo, where mail without one goes by its lifetime'),
  not_before: time.optional(),
  expires: time.optional(),
  test: z.boolean().optional().describe('A test send: no statistics count it, no policy holds for it'),
  copies: copies.optional(),
  metadata: metadata.optional(),
  idempotency_key: label.optional(),
};

const attachment = z.strictObject({
  filename: z.string().min(1).max(500),
  content_type: z.string().min(1).max(500),
  content: z.string(),
  cid: z.string().max(500).optional(),
});

const parts = z.strictObject({
  from: z.string(),
  reply_to: z.string().optional(),
  subject: z.string(),
  html: z.string().optional(),
  text: z.string().optional(),
  amp: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  attachments: z.array(attachment).max(100).optional(),
});

const content = {
  content: z.string().optional(),
  content_encoding: z.enum(['utf-8', 'base64']).optional(),
  parts: parts.optional(),
};

/** What a variable becomes that a recipient does not have. */
const variables = {
  missing: z.enum(['empty', 'refuse']).optional(),
  defaults: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
};

interface ContentFields {
  readonly content?: string | undefined;
  readonly content_encoding?: string | undefined;
  readonly parts?: object | undefined;
  readonly virtual_sender?: string | undefined;
  readonly sender?: string | undefined;
}

/** Rules between the fields of a message or a batch header. */
function fitsTogether(value: ContentFields, context: z.core.$RefinementCtx): void {
  const issue = (path: string, message: string): void =>
    void context.addIssue({ code: 'custom', path: [path], message });
  if (value.content === undefined && value.parts === undefined)
    issue('content', 'is missing: give the message as content, or its parts');
  if (value.content !== undefined && value.parts !== undefined)
    issue('parts', 'give either content or parts, not both');
  if (value.content_encoding !== undefined && value.content === undefined)
    issue('content_encoding', 'belongs to content, and there is none');
  if (value.sender !== undefined && value.virtual_sender !== undefined)
    issue('sender', 'give either sender or virtual_sender, not both');
}

export const messageBody = z
  .strictObject({
    envelope: z.strictObject({
      from: address,
      to: z.array(address).min(1, 'needs a recipient').max(MAX_RECIPIENTS, `has more than ${MAX_RECIPIENTS}`),
    }),
    ...content,
    ...variables,
    ...labels,
  })
  .superRefine(fitsTogether)
  .superRefine((value, context) => {
    // The content of one message is sent as it is; that of a batch has variables.
    for (const name of ['missing', 'defaults'] as const)
      if (value[name] !== undefined && value.parts === undefined)
        context.addIssue({ code: 'custom', path: [name], message: 'belongs to parts, and there are none' });
  });

export const batchHeader = z
  .strictObject({
    envelope: z.strictObject({ from: address }).optional(),
    from: address.optional(),
    ...content,
    ...variables,
    limits: campaignLimits
      .optional()
      .describe(
        'Limits of the campaign from now on; without it, and when a batch goes on, they stay as they are.',
      ),
    ...labels,
  })
  .superRefine(fitsTogether)
  .superRefine((value, context) => {
    if (value.limits !== undefined && value.campaign_id === undefined)
      context.addIssue({ code: 'custom', path: ['limits'], message: 'belong to a campaign_id: give one' });
    if ((value.envelope === undefined) === (value.from === undefined))
      context.addIssue({ code: 'custom', path: ['from'], message: 'give either from or envelope.from' });
  });

export const batchLine = z.strictObject({
  to: address,
  vars: record.optional(),
  metadata: metadata.optional(),
  not_before: time.optional(),
  deadline: time.optional().describe('Of this recipient, only in the band geo; else that of the batch holds'),
});

/** The keys of a record that has to have all of them, so that a new one cannot be forgotten here. */
const keysOf = <T extends string>(all: Readonly<Record<T, true>>): readonly [T, ...T[]] =>
  Object.keys(all) as unknown as readonly [T, ...T[]];

export const STATES = keysOf<DeliveryState>({
  new: true,
  proc: true,
  retry: true,
  hold: true,
  delivered: true,
  hard_bounce: true,
  undelivered: true,
});

export const EVENT_TYPES = keysOf<EventType>({
  accepted: true,
  delivered: true,
  soft_bounce: true,
  hard_bounce: true,
  undelivered: true,
  complaint: true,
  unsubscribe: true,
  report_rejected: true,
  moved: true,
  quarantined: true,
  released: true,
  sink_gap: true,
  operation: true,
  node_state: true,
  speed: true,
  warmup: true,
  lock: true,
  unlock: true,
  alert: true,
  config: true,
});

export const GROUPS = ['account', 'campaign', 'isp', 'sender', 'node', 'domain'] as const;
export type Group = (typeof GROUPS)[number];

const listOf = <T extends string>(values: readonly [T, ...T[]]): z.ZodType<T[], string> =>
  z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(values)));

export const messageQuery = z.strictObject({
  cursor: deliveryId.optional(),
  limit: wholeNumber(1, 1000).default(100),
});

export const deliveriesQuery = z.strictObject({
  recipient: z.string().min(3).max(400).optional(),
  campaign_id: label.optional(),
  state: z.enum(STATES).optional(),
  cursor: deliveryId.optional(),
  limit: wholeNumber(1, 1000).default(100),
});

export const queueQuery = z.strictObject({
  group_by: listOf(GROUPS).default(['isp']),
  limit: wholeNumber(1, 100_000).default(1000),
});

/** Account and campaign, as text that a query can carry. */
export const campaignCursor = (name: string): string => Buffer.from(name).toString('base64url');

export const campaignsQuery = z.strictObject({
  account_id: label.optional(),
  campaign_id: label.optional(),
  cursor: z
    .string()
    .max(4 * MAX_LABEL)
    .transform((text) => Buffer.from(text, 'base64url').toString())
    .refine((name) => name.includes('\0'), 'is not the `next` of an answer')
    .optional(),
  limit: wholeNumber(1, 10_000).default(1000),
});

export const eventsQuery = z.strictObject({
  after: wholeNumber(-1_000_000, Number.MAX_SAFE_INTEGER - 2).optional(),
  type: listOf(EVENT_TYPES).optional(),
  campaign_id: label.optional(),
  delivery_id: deliveryId.optional(),
  follow: z.stringbool({ error: 'expected true or false' }).default(false),
  limit: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
});

export const patternQuery = z.strictObject({ limit: wholeNumber(1, 1000).default(20) });
export const noQuery = z.strictObject({});
/** A call that needs no body takes none, or an empty object. */
export const noBody = z.strictObject({}).nullish();
export const messagePath = z.strictObject({ id: messageId });
export const deliveryPath = z.strictObject({ id: deliveryId });

export type MessageBody = z.infer<typeof messageBody>;
/** As callers write them. */
export type MessageInput = z.input<typeof messageBody>;
export type CampaignLimitsInput = z.input<typeof campaignLimits>;
export type BatchHeaderInput = z.input<typeof batchHeader>;
export type BatchLineInput = z.input<typeof batchLine>;
export type BatchHeaderBody = z.infer<typeof batchHeader>;
export type BatchLineBody = z.infer<typeof batchLine>;
export type MessageQuery = z.infer<typeof messageQuery>;
export type DeliveriesQuery = z.infer<typeof deliveriesQuery>;
export type CampaignsQuery = z.infer<typeof campaignsQuery>;
export type EventsQuery = z.infer<typeof eventsQuery>;
