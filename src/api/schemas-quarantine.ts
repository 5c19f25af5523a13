/** Requests and answers about the quarantine. */
import * as z from 'zod';
import { deliveryId, wholeNumber } from './fields.ts';

export interface QuarantinedView {
  readonly delivery_id: string;
  readonly reason: string;
  readonly since: string;
  /** What is still known of it. */
  readonly recipient?: string | undefined;
  readonly domain?: string | undefined;
  readonly sender?: string | undefined;
  readonly node?: string | undefined;
  readonly account_id?: string | undefined;
  readonly campaign_id?: string | undefined;
}

export interface QuarantineView {
  /** How many there are in all. */
  readonly quarantined: number;
  readonly deliveries: readonly QuarantinedView[];
  readonly next?: string | undefined;
}

export interface QuarantineChange {
  readonly done: number;
  readonly refused: readonly { readonly delivery_id: string; readonly message: string }[];
}

export const quarantineQuery = z.strictObject({
  after: deliveryId.optional(),
  limit: wholeNumber(1, 1000).default(100),
});

export const quarantineBody = z.strictObject({ delivery_ids: z.array(deliveryId).min(1).max(1000) });

export const quarantineView: z.ZodType<QuarantineView> = z.object({
  quarantined: z.int(),
  deliveries: z.array(
    z.object({
      delivery_id: z.string(),
      reason: z.string(),
      since: z.string(),
      recipient: z.string().optional(),
      domain: z.string().optional(),
      sender: z.string().optional(),
      node: z.string().optional(),
      account_id: z.string().optional(),
      campaign_id: z.string().optional(),
    }),
  ),
  next: z.string().optional(),
});

export const quarantineChange: z.ZodType<QuarantineChange> = z.object({
  done: z.int(),
  refused: z.array(z.object({ delivery_id: z.string(), message: z.string() })),
});
