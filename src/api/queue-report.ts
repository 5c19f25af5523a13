/** `GET /v1/queue`: what is queued, grouped as asked, how old it is and how fast it goes. */
import type { FastifyInstance } from 'fastify';
import { oldestOf, oldestQueued, type RowKey } from '../queue/index.ts';
import { isBound, owns, ownsSelector } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { firstOf } from './first-of.ts';
import { answerList } from './long-list.ts';
import { type Pace, Paced } from './pace.ts';
import {
  addRow,
  heldOf,
  ispLabel,
  noCounts,
  type QueueCounts,
  type QueueTotals,
  totalsOf,
} from './queue-counts.ts';
import { type MarkView, markView } from './operation-view.ts';
import { answer } from './refused.ts';
import { type Group, queueQuery } from './schemas.ts';
import { checkRequest } from './shape.ts';
import { Slices } from './slices.ts';

export type QueueRow = QueueCounts & Pace & { readonly [group in Group]?: string };

/** What is summed up in one row of the answer. */
interface Sum {
  readonly values: readonly string[];
  readonly of: Paced;
}

export interface QueueReport {
  readonly rows: readonly QueueRow[];
  /** Rows left out because of `limit`, the smallest ones. */
  readonly more_rows: number;
  readonly totals: QueueTotals;
  /** What operators hold, and released of that; the last one that fits decides. */
  readonly marks: readonly MarkView[];
}

export function addQueueReport(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/queue', async (request, reply) => {
    const query = checkRequest(queueQuery, request.query);
    if (!query.ok) return answer(reply, query);
    const slices = new Slices();
    const asked = { ...query.value, caller: callerOf(request) };
    const { first, ...rest } = await report(deps, asked, slices);
    const view = (sum: Sum): QueueRow => rowOf(asked.group_by, sum);
    return answerList(reply, { name: 'rows', items: first, view, rest }, slices);
  });
}

interface Asked {
  readonly group_by: readonly Group[];
  readonly limit: number;
  readonly caller: Caller;
}

type Report = Omit<QueueReport, 'rows'> & { readonly first: readonly Sum[] };

async function report(deps: ApiDependencies, asked: Asked, slices: Slices): Promise<Report> {
  const { limit, caller } = asked;
  const { all, sums } = await sumRows(deps, asked, slices);
  const order = (a: Sum, b: Sum): number => b.of.counts.total - a.of.counts.total;
  const first = await firstOf(sums.values(), { order, count: limit, slices });
  return {
    first,
    more_rows: sums.size - first.length,
    totals: isBound(caller) ? { ...all, quarantined: 0, oldest_seconds: undefined } : totalsOf(deps, all),
    marks: deps.queue.state.holds.marks
      .filter(({ selector }) => ownsSelector(caller, selector))
      .map(markView),
  };
}

const rowOf = (groups: readonly Group[], { values, of }: Sum): QueueRow => ({
  ...Object.fromEntries(groups.map((group, i) => [group, values[i]!])),
  ...of.counts,
  ...of.pace(),
});

interface Sums {
  readonly all: QueueCounts;
  /** By what they are grouped by. */
  readonly sums: ReadonlyMap<string, Sum>;
}

/** Of the rows that the caller may see. */
async function sumRows(
  { queue, egress, clock }: ApiDependencies,
  { group_by: groups, caller }: Asked,
  slices: Slices,
): Promise<Sums> {
  const bound = isBound(caller);
  const all = noCounts();
  const sums = new Map<string, Sum>();
  const { counters, speeds } = queue.state;
  // What the last sweep found may have ended since: no part is older than the whole.
  const oldest = oldestQueued(queue.state) ?? Infinity;
  const now = clock.now();
  const valuesOf = (row: RowKey, isp: string): string[] =>
    groups.map((group) => (group === 'isp' ? isp : row[group]));
  await slices.each(counters.rows(), (row) => {
    if (bound && !owns(caller, row)) return;
    const isp = ispLabel(egress, row.domain);
    const values = valuesOf(row, isp);
    const key = values.join('\0');
    let sum = sums.get(key);
    if (!sum) sums.set(key, (sum = { values, of: new Paced(now) }));
    const held = heldOf(queue, row);
    const cap = egress.campaigns.of(row);
    sum.of.add(row, { isp, held, oldest: Math.max(oldest, oldestOf(row)), cap });
    addRow(all, row, held);
  });
  await slices.each(speeds.rows(), (row) => {
    const isp = ispLabel(egress, row.domain);
    const sum = sums.get(valuesOf(row, isp).join('\0'));
    if (sum && (!bound || owns(caller, row))) sum.of.addSpeed(isp, row);
  });
  return { all, sums };
}
