/**
 * Figures for Prometheus. What happens often is counted in plain maps (`onCommit`); everything else is read from the
 * queue and the sending side when somebody asks. Totals come from the store, so they survive a restart.
 *
 * Labels are bounded: nodes are configured, ISPs are named ones, `other` and `unresolved`, and no more than MAX_ISPS.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Counter, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../core/index.ts';
import type { EgressView } from '../mta/egress/index.ts';
import {
  type Commit,
  type CommitTimes,
  type Durability,
  journalLags,
  oldestQueued,
  type Pressure,
  type Queue,
} from '../queue/index.ts';
import { bounceMetrics } from './metrics-bounces.ts';
import { counterMetrics, EventCounts, MAX_ISPS } from './metrics-counts.ts';
import { egressMetrics } from './metrics-egress.ts';
import { type InboundMetrics, inboundMetrics } from './metrics-inbound.ts';
import { gauge, PREFIX } from './metrics-gauge.ts';
import { FigureRegistry } from './metrics-text.ts';
import { addRow, heldOf, ispLabel, noCounts, type QueueCounts } from './queue-counts.ts';
import type { Slices } from './slices.ts';

const LOOP_RESOLUTION_MS = 10;
/** The delays are those since the last look that was at least this long ago, so that two scrapers see the same. */
const LOOP_WINDOW_MS = 10_000;

export interface MetricsOptions {
  readonly queue: Queue;
  readonly pressure?: Pressure | undefined;
  readonly commitTimes?: Pick<CommitTimes, 'measure'> | undefined;
  readonly egress: EgressView;
  readonly clock: Clock;
  readonly version: string;
  readonly durability: Durability;
}

export interface Metrics extends InboundMetrics {
  readonly registry: FigureRegistry;
  /** Commits seen. */
  readonly commits: number;
  /** To be told of each group commit. */
  onCommit(commit: Commit): void;
  /**
   * To be told what `queue.sweep()` found: the oldest acceptance (wall ms) by recipient domain. Until it resolves the
   * figures are those of the sweep before.
   */
  onSweep(oldest: ReadonlyMap<string, number>, slices: Slices): Promise<void>;
  /** To be told that the receiving thread died and another one takes its place. */
  onReceiverRestart(): void;
  close(): void;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new FigureRegistry();
  const counts = new EventCounts();
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  loop.enable();
  collectDefaultMetrics({ register: registry });
  // Gauges with the name of a counter: the same by type is there too.
  for (const what of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`nodejs_active_${what}_total`);
  const commits = commitMetrics(registry);
  counterMetrics(registry, PREFIX, { ...options, counts });
  const inbound = inboundMetrics(registry, options);
  const receiverRestarts = new Counter({
    name: `${PREFIX}receiver_restarts_total`,
    help: 'Times that the receiving thread died and another one was started',
    registers: [registry],
  });
  let oldest: ReadonlyMap<string, number> = new Map();
  queueMetrics(registry, { ...options, oldest: () => oldest });
  egressMetrics(registry, options.egress, options.clock);
  bounceMetrics(registry, PREFIX, () => options.egress.classifier);
  loopMetrics(registry, loop, options.clock);
  infoMetrics(registry, options);
  let seen = 0;
  const ispOf = (domain: string): string | undefined => options.egress.ispOf(domain);
  return {
    registry,
    get commits() {
      return seen;
    },
    onCommit: ({ events, runs = [], ms }) => {
      seen++;
      commits.seconds.observe(ms / 1000);
      // What jobs removed or moved was no attempt: it is in the counts of the queue.
      commits.events.observe(runs.reduce((sum, { indexes }) => sum + indexes.length, events.length));
      for (const event of events) counts.add(event, ispOf);
    },
    onSweep: async (found, slices) => {
      const byIsp = new Map<string, number>();
      await slices.each(found, ([domain, at]) => {
        const isp = ispLabel(options.egress, domain);
        byIsp.set(isp, Math.min(at, byIsp.get(isp) ?? Infinity));
      });
      oldest = byIsp;
    },
    get reports() {
      return inbound.reports;
    },
    onReport: (kind, verdict) => inbound.onReport(kind, verdict),
    onRefused: (reason) => inbound.onRefused(reason),
    onWorkerRestart: () => inbound.onWorkerRestart(),
    onReceiverRestart: () => receiverRestarts.inc(),
    close: () => {
      loop.disable();
      registry.clear();
    },
  };
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

interface QueueSources extends MetricsOptions {
  /** Oldest acceptance (wall ms) by ISP, as the last sweep found it. */
  readonly oldest: () => ReadonlyMap<string, number>;
}

function queueMetrics(
  registry: FigureRegistry,
  { queue, pressure, commitTimes, egress, clock, oldest }: QueueSources,
): void {
  gauge(registry, 'queue', 'Queued deliveries', ['state', 'isp'], (set) => {
    for (const [isp, counts] of countsByIsp(queue, egress)) {
      for (const state of ['new', 'proc', 'retry', 'hold'] as const) set(counts[state], { state, isp });
    }
  });
  gauge(registry, 'oldest_seconds', 'Age of the oldest queued delivery', [], (set) => {
    const at = oldestQueued(queue.state);
    set(at === undefined ? 0 : Math.max(0, (clock.now() - at) / 1000));
  });
  gauge(registry, 'isp_oldest_seconds', 'The same by ISP, as of the last sweep', ['isp'], (set) => {
    for (const [isp, at] of oldest()) set(Math.max(0, (clock.now() - at) / 1000), { isp });
  });
  gauge(registry, 'quarantined', 'Queued deliveries that are damaged and set aside', [], (set) =>
    set(queue.quarantine.count),
  );
  gauge(registry, 'leased', 'Deliveries with a session now', [], (set) => set(queue.state.leases.size));
  gauge(registry, 'journal_last_seq', 'Sequence number of the last event', [], (set) =>
    set(queue.state.journal.last),
  );
  gauge(
    registry,
    'journal_lag_events',
    'Events that who follows the journal is behind',
    ['reader'],
    (set) => {
      const { journal } = queue.state;
      for (const [reader, position] of journal.readers.positions())
        set(journal.givenAfter(position), { reader });
    },
  );
  gauge(
    registry,
    'journal_lag_share',
    'The same as a share of what the journal keeps; at 1 events are lost or mail is refused (journal.on_full)',
    ['reader'],
    (set) => {
      for (const { reader, share } of journalLags(queue.state.journal, clock.now())) set(share, { reader });
    },
  );
  gauge(registry, 'journal_bytes', 'Size of the journal', [], (set) => set(queue.state.journal.bytes));
  gauge(
    registry,
    'injection_refused',
    '1 while there is no room for mail, 0.5 while it is slowed',
    [],
    (set) => set({ none: 0, slow: 0.5, refuse: 1 }[pressure?.level ?? 'none']),
  );
  gauge(
    registry,
    'slow_commit_seconds',
    'Time of the last minute that went to commits of alerts.slow_commit or longer, the one under way included',
    [],
    (set) => set((commitTimes?.measure().slowTotalMs ?? 0) / 1000),
  );
  gauge(registry, 'disk_free_bytes', 'Free space where the store is', [], (set) =>
    set(pressure?.freeBytes ?? Infinity),
  );
  gauge(registry, 'store_bytes', 'Size of the store', [], (set) => set(queue.state.kv.bytes()));
}

function countsByIsp(queue: Queue, egress: EgressView): Map<string, QueueCounts> {
  const byIsp = new Map<string, QueueCounts>();
  const labels = new Map<string, string>();
  for (const row of queue.state.counters.rows()) {
    let isp = labels.get(row.domain);
    if (isp === undefined) labels.set(row.domain, (isp = ispLabel(egress, row.domain)));
    if (!byIsp.has(isp) && byIsp.size >= MAX_ISPS) isp = 'other';
    let counts = byIsp.get(isp);
    if (!counts) byIsp.set(isp, (counts = noCounts()));
    addRow(counts, row, heldOf(queue, row));
  }
  return byIsp;
}

function loopMetrics(
  registry: FigureRegistry,
  loop: ReturnType<typeof monitorEventLoopDelay>,
  clock: Clock,
): void {
  let since = clock.mono();
  // The histogram holds the time between two ticks of a timer, so the timer's own interval goes off.
  const seconds = (ns: number): number => Math.max(0, ns / 1e9 - LOOP_RESOLUTION_MS / 1000);
  gauge(registry, 'event_loop_delay_seconds', 'How late the event loop was', ['level'], (set) => {
    set(seconds(loop.percentile(50)), { level: 'median' });
    set(seconds(loop.percentile(99)), { level: '99 %' });
    set(seconds(loop.max), { level: 'most' });
    if (clock.mono() - since < LOOP_WINDOW_MS) return;
    loop.reset();
    since = clock.mono();
  });
}

function infoMetrics(registry: FigureRegistry, { version, durability }: MetricsOptions): void {
  gauge(registry, 'build_info', 'Version', ['version', 'node'], (set) =>
    set(1, { version, node: process.versions.node }),
  );
  gauge(registry, 'durability', '1 for the durability in force', ['level'], (set) => {
    for (const level of ['sync', 'process']) set(level === durability ? 1 : 0, { level });
  });
}
