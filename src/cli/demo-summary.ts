/** What the demo shows: sums over the journal's events, by ISP and by node. */
import type { Event } from '../core/index.ts';
import { type Column, renderTable } from './table.ts';
import type { Io } from './io.ts';

export interface Line {
  delivered: number;
  /** Attempts that were repeated. */
  soft_bounces: number;
  hard_bounced: number;
  undelivered: number;
  /** Delivered messages per second, from the first attempt to the last. */
  per_second: number;
}

export interface Summary {
  readonly accepted: number;
  readonly delivered: number;
  readonly hard_bounced: number;
  readonly undelivered: number;
  readonly soft_bounces: number;
  readonly queued: number;
  readonly per_isp: Readonly<Record<string, Line>>;
  readonly per_node: Readonly<Record<string, Line>>;
}

interface Running extends Line {
  first: number;
  last: number;
}

const FIELDS = {
  delivered: 'delivered',
  soft_bounce: 'soft_bounces',
  hard_bounce: 'hard_bounced',
  undelivered: 'undelivered',
} as const;

export class SummaryBuilder {
  readonly #isps = new Map<string, Running>();
  readonly #nodes = new Map<string, Running>();
  #accepted = 0;
  #ended = 0;

  /** Deliveries that were accepted and have ended. */
  get progress(): { accepted: number; ended: number } {
    return { accepted: this.#accepted, ended: this.#ended };
  }

  add(event: Event): void {
    if (event.type === 'accepted') this.#accepted++;
    if (!(event.type in FIELDS)) return;
    const field = FIELDS[event.type as keyof typeof FIELDS];
    if (field !== 'soft_bounces') this.#ended++;
    const time = Date.parse(event.time);
    for (const line of [
      lineOf(this.#isps, event.isp ?? 'unresolved'),
      lineOf(this.#nodes, event.node ?? ''),
    ]) {
      line[field]++;
      line.first = Math.min(line.first, time);
      line.last = Math.max(line.last, time);
    }
  }

  summary(): Summary {
    const per_isp = finish(this.#isps);
    const sum = (field: Exclude<keyof Line, 'per_second'>): number =>
      Object.values(per_isp).reduce((total, line) => total + line[field], 0);
    return {
      accepted: this.#accepted,
      delivered: sum('delivered'),
      hard_bounced: sum('hard_bounced'),
      undelivered: sum('undelivered'),
      soft_bounces: sum('soft_bounces'),
      queued: this.#accepted - this.#ended,
      per_isp,
      per_node: finish(this.#nodes),
    };
  }
}

function lineOf(lines: Map<string, Running>, name: string): Running {
  let line = lines.get(name);
  if (!line) {
    line = {
      delivered: 0,
      soft_bounces: 0,
      hard_bounced: 0,
      undelivered: 0,
      per_second: 0,
      first: Infinity,
      last: 0,
    };
    lines.set(name, line);
  }
  return line;
}

function finish(lines: ReadonlyMap<string, Running>): Record<string, Line> {
  const sorted = [...lines].sort(([a], [b]) => a.localeCompare(b));
  return Object.fromEntries(
    sorted.map(([name, { first, last, ...line }]) => {
      const seconds = Math.max(0.001, (last - first) / 1000);
      return [name, { ...line, per_second: Math.round((line.delivered / seconds) * 10) / 10 }];
    }),
  );
}

const COLUMNS: readonly Column[] = [
  { title: '' },
  { title: 'delivered', align: 'right' },
  { title: 'retried', align: 'right' },
  { title: 'hard', align: 'right' },
  { title: 'undelivered', align: 'right' },
  { title: 'messages/s', align: 'right' },
];

/** One table; `io` says how wide it may be. */
export function summaryTable(
  title: string,
  lines: Readonly<Record<string, Line>>,
  io: Pick<Io, 'columns'>,
): string {
  const columns = COLUMNS.map((column, i) => (i === 0 ? { ...column, title } : column));
  const rows = Object.entries(lines).map(([name, line]) => [
    name,
    line.delivered,
    line.soft_bounces,
    line.hard_bounced,
    line.undelivered,
    line.per_second,
  ]);
  return renderTable(columns, rows, io);
}
