/**
 * Figures for Prometheus. What happens often is counted in plain maps (`onCommit`); everything else is read from the
 * queue and the sending side when somebody asks. Totals come from the store, so they survive a restart.
 *
 * Labels are bounded: nodes are configured, ISPs are named ones, `other` and `unresolved`, and no more than MAX_ISPS.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../core/index.ts';
import type { EgressView } from '../mta/egress/index.ts';
import type { Durability, EventDraft, Pressure, Queue } from '../queue/index.ts';
import { bounceMetrics } from './metrics-bounces.ts';
import { addRow, heldOf, ispLabel, noCounts, type QueueCounts, queueTotals } from './queue-counts.ts';
import { type Cell, Tally } from './tally.ts';

const PREFIX = 'postrider_';
const MAX_ISPS = 200;
const LOOP_RESOLUTION_MS = 10;
/** The delays are those since the last look that was at least this long ago, so that two scrapers see the same. */
const LOOP_WINDOW_MS = 10_000;

export interface MetricsOptions {
  readonly queue: Queue;
  readonly pressure?: Pressure | undefined;
  readonly egress: EgressView;
  readonly clock: Clock;
  readonly version: string;
  readonly durability: Durability;
}

export interface Commit {
  readonly events: readonly EventDraft[];
  /** How long the commit took. */
  readonly ms: number;
}

export interface Metrics {
  readonly registry: Registry;
  /** Commits seen. */
  readonly commits: number;
  /** To be told of each group commit. */
  onCommit(commit: Commit): void;
  /** To be told what `queue.sweep()` found: the oldest acceptance (wall ms) by recipient domain. */
  onSweep(oldest: ReadonlyMap<string, number>): void;
  close(): void;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const counts = new EventCounts();
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loop.enable();
  collectDefaultMetrics({ register: registry });
  const commits = commitMetrics(registry);
  counterMetrics(registry, counts, options.queue);
  const oldest = new Map<string, number>();
  queueMetrics(registry, { ...options, oldest });
  egressMetrics(registry, options.egress);
  bounceMetrics(registry, PREFIX, () => options.egress.classifier);
  loopMetrics(registry, loop, options.clock);
  infoMetrics(registry, options);
  let seen = 0;
  return {
    registry,
    get commits() {
      return seen;
    },
    onCommit: ({ events, ms }) => {
      seen++;
      commits.seconds.observe(ms / 1000);
      commits.events.observe(events.length);
      for (const event of events) counts.add(event);
    },
    onSweep: (found) => {
      oldest.clear();
      for (const [domain, at] of found) {
        const isp = ispLabel(options.egress, domain);
        oldest.set(isp, Math.min(at, oldest.get(isp) ?? Infinity));
      }
    },
    close: () => {
      loop.disable();
      registry.clear();
    },
  };
}

/** What the events of the commits add up to, since the start of the process. */
class EventCounts {
  readonly attempts = new Tally();
  readonly bounces = new Tally();
  possibleDuplicates = 0;
  readonly #isps = new Set<string>();

  add(event: EventDraft): void {
    const { type } = event;
    if (type === 'accepted' || event.recipient === undefined) return;
    const isp = this.#ispOf(event.isp);
    if (type === 'delivered' || event.reply !== undefined) this.attempts.add(isp, event.node ?? '', type);
    if (event.bounce) this.bounces.add(event.bounce.class, event.bounce.category, isp);
    if (event.possible_duplicate && type === 'delivered') this.possibleDuplicates++;
  }

  #ispOf(isp: string | undefined): string {
    if (isp === undefined) return 'unresolved';
    if (this.#isps.has(isp)) return isp;
    if (this.#isps.size >= MAX_ISPS) return 'other';
    this.#isps.add(isp);
    return isp;
  }
}

function commitMetrics(registry: Registry): { readonly seconds: Histogram; readonly events: Histogram } {
  const registers = [registry];
  return {
    seconds: new Histogram({
      name: `${PREFIX}commit_seconds`,
      help: 'Time of a group commit, its sync included',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
    events: new Histogram({
      name: `${PREFIX}commit_events`,
      help: 'Events in a group commit',
      buckets: [1, 2, 5, 10, 20, 50, 100, 250, 500, 1000, 5000],
      registers,
    }),
  };
}

function counterMetrics(registry: Registry, counts: EventCounts, queue: Queue): void {
  const total = (name: string, help: string, read: () => number): void => {
    const counter: Counter = new Counter({
      name: `${PREFIX}${name}`,
      help,
      registers: [registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  };
  const byLabels = (name: string, help: string, labelNames: [string, string, string], tally: Tally): void => {
    const counter: Counter = new Counter({
      name: `${PREFIX}${name}`,
      help,
      labelNames,
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const { labels, count } of tally.cells()) counter.inc(namedLabels(labelNames, labels), count);
      },
    });
  };
  const sum = (): ReturnType<Queue['state']['counters']['sum']> => queue.state.counters.sum();
  total('accepted_total', 'Deliveries accepted since the store exists', () => sum().accepted);
  total('delivered_total', 'Deliveries that receivers took', () => sum().delivered);
  total('failed_total', 'Deliveries that ended otherwise', () => sum().hard_bounced + sum().undelivered);
  total('removed_total', 'Deliveries ended by an operator', () => sum().removed);
  total(
    'possible_duplicates_total',
    'Deliveries made after a crash had left open whether they had been made before',
    () => counts.possibleDuplicates,
  );
  byLabels('attempts_total', 'Attempts by what came of them', ['isp', 'node', 'outcome'], counts.attempts);
  byLabels('bounces_total', 'Refusals by class', ['class', 'category', 'isp'], counts.bounces);
}

const namedLabels = (names: readonly string[], values: Cell['labels']): Record<string, string> =>
  Object.fromEntries(names.map((name, i) => [name, values[i]!]));

interface QueueSources extends MetricsOptions {
  /** Oldest acceptance (wall ms) by ISP, as the last sweep found it. */
  readonly oldest: ReadonlyMap<string, number>;
}

function queueMetrics(registry: Registry, { queue, pressure, egress, clock, oldest }: QueueSources): void {
  gauge(registry, 'queue', 'Queued deliveries', ['state', 'isp'], (set) => {
    for (const [isp, counts] of countsByIsp(queue, egress)) {
      for (const state of ['new', 'proc', 'retry', 'hold'] as const) set(counts[state], { state, isp });
    }
  });
  gauge(registry, 'oldest_seconds', 'Age of the oldest queued delivery', [], (set) =>
    set(queueTotals({ queue, clock }).oldest_seconds ?? 0),
  );
  gauge(registry, 'isp_oldest_seconds', 'The same by ISP, as of the last sweep', ['isp'], (set) => {
    for (const [isp, at] of oldest) set(Math.max(0, (clock.now() - at) / 1000), { isp });
  });
  gauge(registry, 'leased', 'Deliveries with a session now', [], (set) => set(queue.state.leases.size));
  gauge(registry, 'journal_last_seq', 'Sequence number of the last event', [], (set) =>
    set(queue.state.journal.last),
  );
  gauge(
    registry,
    'injection_refused',
    '1 while there is no room for mail, 0.5 while it is slowed',
    [],
    (set) => set({ none: 0, slow: 0.5, refuse: 1 }[pressure?.level ?? 'none']),
  );
  gauge(registry, 'disk_free_bytes', 'Free space where the store is', [], (set) =>
    set(pressure?.freeBytes ?? Infinity),
  );
  gauge(registry, 'store_bytes', 'Size of the store', [], (set) => set(queue.state.kv.bytes()));
}

function countsByIsp(queue: Queue, egress: EgressView): Map<string, QueueCounts> {
  const byIsp = new Map<string, QueueCounts>();
  for (const row of queue.state.counters.rows()) {
    let isp = ispLabel(egress, row.domain);
    if (!byIsp.has(isp) && byIsp.size >= MAX_ISPS) isp = 'other';
    let counts = byIsp.get(isp);
    if (!counts) byIsp.set(isp, (counts = noCounts()));
    addRow(counts, row, heldOf(queue, row));
  }
  return byIsp;
}

function egressMetrics(registry: Registry, egress: EgressView): void {
  gauge(registry, 'sessions', 'Open sessions by node', ['node'], (set) => {
    for (const { name, sessions } of egress.nodes()) set(sessions, { node: name });
  });
  gauge(registry, 'node_up', '1 while the node sends', ['node'], (set) => {
    for (const { name, state } of egress.nodes()) set(state === 'running' ? 1 : 0, { node: name });
  });
  gauge(registry, 'lane_sessions', 'Open sessions by node and ISP', ['node', 'isp'], (set) => {
    for (const { name, lanes } of egress.nodes()) {
      const sum = new Map<string, number>();
      for (const { isp, sessions } of lanes) sum.set(isp, (sum.get(isp) ?? 0) + sessions);
      for (const [isp, sessions] of sum) set(sessions, { node: name, isp });
    }
  });
  laneSpeed(registry, egress);
}

/** The slowest lane of each ISP: domains of no ISP have one for each set of hosts. */
function laneSpeed(registry: Registry, egress: EgressView): void {
  const text = 'Recipients per second that strategy and receiver allow, by node and ISP; absent: no limit';
  gauge(registry, 'lane_speed', text, ['node', 'isp'], (set) => {
    for (const { name, lanes } of egress.nodes()) {
      const slowest = new Map<string, number>();
      for (const { isp, ratePerSecond = Infinity, slowed } of lanes) {
        const speed = Math.min(ratePerSecond, slowed?.perSecond ?? Infinity);
        if (speed < (slowest.get(isp) ?? Infinity)) slowest.set(isp, speed);
      }
      for (const [isp, speed] of slowest) set(speed, { node: name, isp });
    }
  });
  gauge(registry, 'lanes_slowed', 'ISPs whose speed is lowered, by node', ['node'], (set) => {
    for (const { name, lanes } of egress.nodes())
      set(lanes.filter(({ slowed }) => slowed).length, { node: name });
  });
}

function loopMetrics(registry: Registry, loop: ReturnType<typeof monitorEventLoopDelay>, clock: Clock): void {
  let since = clock.mono();
  // The histogram holds the time between two ticks of a timer, so the timer's own interval goes off.
  const seconds = (ns: number): number => Math.max(0, ns / 1e9 - LOOP_RESOLUTION_MS / 1000);
  gauge(registry, 'event_loop_delay_seconds', 'How late the event loop was', ['quantile'], (set) => {
    set(seconds(loop.percentile(50)), { quantile: '0.5' });
    set(seconds(loop.percentile(99)), { quantile: '0.99' });
    set(seconds(loop.max), { quantile: '1' });
    if (clock.mono() - since < LOOP_WINDOW_MS) return;
    loop.reset();
    since = clock.mono();
  });
}

function infoMetrics(registry: Registry, { version, durability }: MetricsOptions): void {
  gauge(registry, 'build_info', 'Version', ['version', 'node'], (set) =>
    set(1, { version, node: process.versions.node }),
  );
  gauge(registry, 'durability', '1 for the durability in force', ['level'], (set) => {
    for (const level of ['sync', 'process']) set(level === durability ? 1 : 0, { level });
  });
}

type SetGauge = (value: number, labels?: Record<string, string>) => void;

// prom-client wants the label names as the fourth thing a gauge is made of, so this takes all of them.
function gauge(...[registry, name, help, labelNames, collect]: GaugeArguments): void {
  const made: Gauge = new Gauge({
    name: `${PREFIX}${name}`,
    help,
    labelNames,
    registers: [registry],
    collect: () => {
      made.reset();
      collect((value, labels = {}) => made.set(labels, value));
    },
  });
}
type GaugeArguments = [
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  collect: (set: SetGauge) => void,
];
