/** The requests of `/v1/stop-list`. */
import * as z from 'zod';
import { label, time, wholeNumber } from './fields.ts';

const MAX_ENTRIES = 5_000;
const MAX_REASON = 500;
const text = z.string().max(400, 'is longer than any address');
const source = z.enum(['hard_bounce', 'complaint', 'unsubscribe', 'operator', 'import']);

const target = {
  address: text.optional(),
  domain: text.optional(),
  pattern: text.optional(),
  account_id: label.optional(),
};

const oneKind = (entry: { address?: unknown; domain?: unknown; pattern?: unknown }): boolean =>
  [entry.address, entry.domain, entry.pattern].filter((given) => given !== undefined).length === 1;
const ONE_KIND = 'has to have exactly one of address, domain and pattern';

/** Entries are checked one by one, so that a wrong one does not keep the others out. */
export const stopListBody = z.strictObject({
  entries: z
    .array(z.unknown())
    .min(1, 'is empty')
    .max(MAX_ENTRIES, `has more than ${MAX_ENTRIES} entries: send them in several requests`),
});

export const stopListKey = z.strictObject(target).refine(oneKind, ONE_KIND);

export const stopListEntry = z
  .strictObject({
    ...target,
    source: source.default('operator'),
    reason: z.string().max(MAX_REASON, `is longer than ${MAX_REASON} characters`).optional(),
    expires: time.optional(),
  })
  .refine(oneKind, ONE_KIND);

export const stopListQuery = z.strictObject({
  recipient: text.min(3).optional(),
  kind: z.enum(['address', 'domain', 'pattern']).optional(),
  account_id: label.optional(),
  source: source.optional(),
  cursor: z.string().min(1).max(4000).optional(),
  limit: wholeNumber(1, 10_000).default(1000),
});
export type StopListQueryBody = z.infer<typeof stopListQuery>;
