/** `GET /v1/queue`: what is queued, grouped as asked, how old it is and how fast it goes. */
import type { FastifyInstance } from 'fastify';
import { ok } from '../core/index.ts';
import { type RowKey, rowName } from '../queue/index.ts';
import { isBound, owns, ownsSelector } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { type Pace, paceOf } from './pace.ts';
import {
  addRow,
  heldOf,
  ispLabel,
  noCounts,
  type QueueCounts,
  type QueueTotals,
  queueTotals,
} from './queue-counts.ts';
import { type MarkView, markView } from './operation-view.ts';
import { answer } from './refused.ts';
import { type Group, queueQuery } from './schemas.ts';
import { checkRequest } from './shape.ts';

export type QueueRow = QueueCounts & Pace & { readonly [group in Group]?: string };

/** What is summed up in one row of the answer. */
interface Sum {
  readonly values: readonly string[];
  readonly counts: QueueCounts;
  oldest: number;
  perSecond: number;
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
  app.get('/v1/queue', (request, reply) => {
    const query = checkRequest(queueQuery, request.query);
    return answer(reply, query.ok ? ok(report(deps, query.value, callerOf(request))) : query);
  });
}

function report(
  deps: ApiDependencies,
  { group_by: groups, limit }: { readonly group_by: readonly Group[]; readonly limit: number },
  caller: Caller,
): QueueReport {
  const bound = isBound(caller);
  const own = noCounts();
  const rows = new Map<string, Sum>();
  const { counters, oldest, speeds } = deps.queue.state;
  const valuesOf = (row: RowKey): string[] =>
    groups.map((group) => (group === 'isp' ? ispLabel(deps.egress, row.domain) : row[group]));
  for (const row of counters.rows()) {
    if (bound && !owns(caller, row)) continue;
    const values = valuesOf(row);
    const key = values.join('\0');
    let sum = rows.get(key);
    if (!sum) rows.set(key, (sum = { values, counts: noCounts(), oldest: Infinity, perSecond: 0 }));
    const held = heldOf(deps.queue, row);
    addRow(sum.counts, row, held);
    sum.oldest = Math.min(sum.oldest, oldest.get(rowName(row)) ?? Infinity);
    if (bound) addRow(own, row, held);
  }
  for (const { perSecond, ...row } of speeds.rows()) {
    const sum = rows.get(valuesOf(row).join('\0'));
    if (sum && (!bound || owns(caller, row))) sum.perSecond += perSecond;
  }
  const now = deps.clock.now();
  const sorted = [...rows.values()].sort((a, b) => b.counts.total - a.counts.total);
  return {
    rows: sorted.slice(0, limit).map(({ values, counts, ...sum }) => ({
      ...Object.fromEntries(groups.map((group, i) => [group, values[i]!])),
      ...counts,
      ...paceOf(counts, sum, now),
    })),
    more_rows: Math.max(0, sorted.length - limit),
    totals: bound ? { ...own, quarantined: 0, oldest_seconds: undefined } : queueTotals(deps),
    marks: deps.queue.state.holds.marks
      .filter(({ selector }) => ownsSelector(caller, selector))
      .map(markView),
  };
}
