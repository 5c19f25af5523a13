/**
 * The kinds of fields that requests are made of. Texts that end up in keys of the store (labels, names) must be well
 * formed and free of control characters, because NUL separates the parts of a key.
 */
import * as z from 'zod';
import { messageNumberOf, parseDeliveryId, parseDuration, parseRate } from '../core/index.ts';
import { isPlainText, MAX_LABEL, MAX_METADATA_CHARS, parseTime } from '../mta/ingress/index.ts';

const MAX_DEPTH = 20;

/** Label or name: short, one line. */
export const label = z
  .string()
  .min(1, 'must not be empty: leave it out instead')
  .max(MAX_LABEL, `is longer than ${MAX_LABEL} characters`)
  .refine(isPlainText, 'has a control character or a broken Unicode character');

export const time = z
  .string()
  .refine(
    (text) => parseTime(text, 0) !== undefined,
    'is neither a time such as 2026-05-01T08:00:00Z nor a duration from now such as 2h',
  );

/** Whether a JSON value is nested no deeper than `limit`. */
function isShallow(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (limit === 0) return false;
  for (const inner of Object.values(value)) if (!isShallow(inner, limit - 1)) return false;
  return true;
}

/** A JSON object whose values are free, but not nested without end. */
export const record = z
  .record(z.string(), z.unknown())
  .refine((value) => isShallow(value, MAX_DEPTH), `is nested deeper than ${MAX_DEPTH} levels`);

/** Free data of the platform; it is repeated in every event, so it is small. */
export const metadata = record.refine(
  (value) => isShallow(value, MAX_DEPTH) && JSON.stringify(value).length <= MAX_METADATA_CHARS,
  `is longer than ${MAX_METADATA_CHARS} characters of JSON`,
);

/** An address where a request may be wrong about it: the injector says what is wrong, per recipient. */
export const address = z.string().max(2000, 'is longer than any address');

export const messageId = z
  .string()
  .refine(
    (id) => messageNumberOf(id) !== undefined,
    'is not a message id: 11 characters such as 0a1b2c3d4e5',
  );

export const deliveryId = z
  .string()
  .refine(
    (id) => parseDeliveryId(id) !== undefined,
    'is not a delivery id: a message id, a dot and a number such as 0a1b2c3d4e5.1',
  );

/** A whole number in a query string. */
export const wholeNumber = (low: number, high: number): z.ZodType<number, string | number> =>
  z.coerce
    .number({ error: 'is not a number' })
    .int('is not a whole number')
    .min(low, `is less than ${low}`)
    .max(high, `is more than ${high}`) as z.ZodType<number, string | number>;

const rate = z
  .string()
  .refine((text) => parseRate(text) !== undefined, 'is not a rate such as 100/1m')
  .transform((text) => parseRate(text)!);
const duration = z
  .string()
  .refine((text) => (parseDuration(text) ?? 0) > 0, 'is not a duration such as 10m or 1d')
  .transform((text) => parseDuration(text)!);

/** How fast and how far a campaign may go. */
export const campaignLimits = z.strictObject({
  rate: rate.optional().describe('Recipients in a time, by all nodes to all ISPs together.'),
  per_start: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Recipients from one start to the next; the rest waits. `POST /v1/campaigns/{id}/start` is the next.',
    ),
  growth: z
    .strictObject({
      from: rate.describe('The speed of the first time.'),
      percent: z.number().positive().max(1000).describe('How much it grows each time.'),
      every: duration.describe('How long, from the first message on, until it grows.'),
    })
    .optional()
    .describe('The speed grows until it is `rate`, or without end.'),
});
export type LimitsBody = z.infer<typeof campaignLimits>;
