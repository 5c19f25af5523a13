/**
 * `GET /v1/reports/bounces` and `/undelivered`: why mail was not delivered, from the journal, summed up by groups. The
 * journal is read in slices between which everything else has its turn, and only the sums are held, so neither a long
 * period nor a long journal costs memory; beyond MAX_GROUPS what is new is summed as one.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { stringify } from 'csv-stringify/sync';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { foldReply } from '../bounce/index.ts';
import type { Event } from '../core/index.ts';
import { parseTime } from '../mta/ingress/index.ts';
import type { Queue } from '../queue/index.ts';
import type { RouteContext } from './dependencies.ts';
import { answer } from './refused.ts';
import { type ReportGroup, reportQuery, type ReportQuery } from './schemas-reports.ts';
import { checkRequest } from './shape.ts';

export interface ReportRow {
  readonly group: Readonly<Partial<Record<ReportGroup, string>>>;
  count: number;
  /** Of these: told by a report after the mail had been taken. */
  late: number;
  readonly first: string;
  last: string;
}

export interface BounceReport {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly events: number;
  readonly rows: readonly ReportRow[];
  readonly more_rows: number;
}

type Journal = Queue['state']['journal'];
export type ReportName = 'bounces' | 'undelivered';

const TYPES: Readonly<Record<ReportName, readonly Event['type'][]>> = {
  bounces: ['hard_bounce', 'soft_bounce'],
  undelivered: ['undelivered'],
};
const SLICE_LINES = 2_000;
const MAX_GROUPS = 50_000;
const OTHERS = '(others)';

export function addReports(app: FastifyInstance, context: RouteContext): void {
  app.get('/v1/reports/bounces', (request, reply) => report(context, 'bounces', { request, reply }));
  app.get('/v1/reports/undelivered', (request, reply) => report(context, 'undelivered', { request, reply }));
}

async function report(
  { deps, closing }: RouteContext,
  name: ReportName,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
): Promise<FastifyReply> {
  const query = checkRequest(reportQuery, request.query);
  if (!query.ok) return answer(reply, query);
  const { journal } = deps.queue.state;
  const summed = await sumUp(journal, { name, query: query.value, now: deps.clock.now(), closing });
  if (query.value.format === 'json') return reply.send(summed);
  return reply.type('text/csv; charset=utf-8').send(csvOf(summed, query.value.group_by));
}

export function csvOf({ rows }: BounceReport, groups: readonly ReportGroup[]): string {
  const head = [...groups, 'count', 'late', 'first', 'last'];
  return stringify([
    head,
    ...rows.map(({ group, count, late, first, last }) => [
      ...groups.map((name) => group[name]),
      count,
      late,
      first,
      last,
    ]),
  ]);
}

interface Wish {
  readonly name: ReportName;
  readonly query: ReportQuery;
  readonly now: number;
  readonly closing: AbortSignal;
}

export async function sumUp(journal: Journal, { name, query, now, closing }: Wish): Promise<BounceReport> {
  const [from, to] = [query.from, query.to].map((text) =>
    text === undefined ? undefined : timeOf(text, now),
  );
  const needles = TYPES[name].map((type) => `"type":"${type}"`);
  const rows = new Map<string, ReportRow>();
  let events = 0;
  let after = from === undefined ? 0 : firstAt(journal, from) - 1;
  while (!closing.aborted) {
    let [read, ended] = [0, true];
    for (const { seq, line } of journal.lines(after)) {
      after = seq;
      if (needles.some((needle) => line.includes(needle))) {
        const event = JSON.parse(line) as Event;
        if (to !== undefined && Date.parse(event.time) >= to) break;
        if (TYPES[name].includes(event.type) && event.reason !== 'removed' && !event.test) {
          events++;
          add(rows, event, query.group_by);
        }
      }
      if (++read >= SLICE_LINES) {
        ended = false;
        break;
      }
    }
    if (ended) break;
    await nextTurn();
  }
  const sorted = [...rows.values()].sort((a, b) => b.count - a.count);
  const iso = (time: number | undefined): string | undefined =>
    time === undefined ? undefined : new Date(time).toISOString();
  return {
    from: iso(from),
    to: iso(to),
    events,
    rows: sorted.slice(0, query.limit),
    more_rows: Math.max(0, sorted.length - query.limit),
  };
}

/** A duration is that long ago: `24h`. */
function timeOf(text: string, now: number): number {
  const time = parseTime(text, now)!;
  return /^\d+(?:\.\d+)?[a-z]/.test(text) ? 2 * now - time : time;
}

/** Sequence number of the first event at or after a time, by halving. Events of one time may be a little out of order. */
function firstAt(journal: Journal, time: number): number {
  let [low, high] = [journal.first, journal.last + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [event] = journal.take(middle - 1, 1);
    if (event && Date.parse(event.time) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function add(rows: Map<string, ReportRow>, event: Event, groups: readonly ReportGroup[]): void {
  const values = groups.map((name) => VALUES[name](event));
  let key = values.join('\0');
  let row = rows.get(key);
  if (!row && rows.size >= MAX_GROUPS) {
    values.fill(OTHERS);
    key = OTHERS;
    row = rows.get(key);
  }
  if (!row) {
    const group = Object.fromEntries(groups.map((name, i) => [name, values[i]!]));
    row = { group, count: 0, late: 0, first: event.time, last: event.time };
    rows.set(key, row);
  }
  row.count++;
  if (event.corrects !== undefined) row.late++;
  row.last = event.time;
}

const VALUES: Readonly<Record<ReportGroup, (event: Event) => string>> = {
  type: ({ type }) => type,
  reason: ({ reason = '' }) => reason,
  from_domain: ({ from_domain: domain = '' }) => domain,
  node: ({ node = '' }) => node,
  isp: ({ isp = '' }) => isp,
  campaign: ({ campaign_id: id = '' }) => id,
  account: ({ account_id: id = '' }) => id,
  sender: ({ sender = '' }) => sender,
  class: ({ bounce }) => bounce?.class ?? '',
  category: ({ bounce }) => bounce?.category ?? '',
  reply: ({ reply }) =>
    reply ? foldReply([reply.code, reply.enhanced, reply.text].filter(Boolean).join(' ')).slice(0, 300) : '',
};
