/** The calls of the stop list. */
import * as z from 'zod';
import type { Call } from './call.ts';
import { stopListEntry, stopListKey, stopListQuery } from './schemas-stop-list.ts';
import type { StopListChange, StopListView } from './stop-list.ts';

const entry = z.object({
  address: z.string().optional(),
  domain: z.string().optional(),
  pattern: z.string().optional(),
  account_id: z.string().optional(),
  source: z.string(),
  reason: z.string().optional(),
  added: z.string(),
  expires: z.string().optional(),
});
const view: z.ZodType<StopListView> = z.object({ entries: z.array(entry), next: z.string().optional() });

const change: z.ZodType<StopListChange> = z.object({
  added: z.int().optional(),
  removed: z.int().optional(),
  rejected: z.array(z.object({ index: z.int(), field: z.string(), message: z.string() })),
});

const described = <T extends z.ZodType>(each: T): z.ZodType =>
  z.object({ entries: z.array(each).min(1).max(5_000) }).describe('Entries are checked one by one.');

export const STOP_LIST_CALLS: readonly Call[] = [
  {
    method: 'GET',
    path: '/v1/stop-list',
    id: 'listStopList',
    tag: 'look-ups',
    scope: 'read',
    bound: 'by accounts',
    summary: 'Who is not mailed, in pages; with `recipient` the entry that stops that address.',
    query: stopListQuery,
    answer: { status: 200, description: 'Entries, in no order that means anything.', schema: view },
    example: { query: { limit: 10 } },
  },
  {
    method: 'POST',
    path: '/v1/stop-list',
    id: 'addToStopList',
    action: 'stop-list add',
    tag: 'queue',
    scope: 'operate',
    bound: 'by accounts',
    summary: 'Stops mail to addresses, domains and patterns.',
    body: described(stopListEntry),
    answer: { status: 200, description: 'How many were stored; the others are named.', schema: change },
    refusals: [413, 415, 503],
    example: { body: { entries: [{ address: 'gone@example.com', reason: 'asked by phone' }] } },
  },
  {
    method: 'DELETE',
    path: '/v1/stop-list',
    id: 'removeFromStopList',
    action: 'stop-list remove',
    tag: 'queue',
    scope: 'operate',
    bound: 'by accounts',
    summary: 'Mails them again.',
    body: described(stopListKey),
    answer: { status: 200, description: 'How many were there.', schema: change },
    refusals: [413, 415, 503],
    example: { body: { entries: [{ address: 'gone@example.com' }] } },
  },
];
