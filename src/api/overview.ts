/** How the server is: nodes, status, and the reload of its configuration. */
import type { FastifyInstance } from 'fastify';
import type { Flow } from '../alerts/index.ts';
import { err, ok, type Result } from '../core/index.ts';
import type { LaneStatus, Lock, NodeFigures } from '../mta/egress/index.ts';
import type { CommitTime, Totals } from '../queue/index.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { lockView, type LockView } from './nodes.ts';
import { answerList } from './long-list.ts';
import { queueTotals, type QueueTotals } from './queue-counts.ts';
import { answer, type Refused } from './refused.ts';
import { noBody, noQuery } from './schemas.ts';
import { oldestSeconds } from './metrics-inbound.ts';
import { checkRequest } from './shape.ts';
import { Slices } from './slices.ts';

const MOST_WAITING = 10;

export interface ErrorView {
  readonly at: string;
  readonly text: string;
}

export interface LaneView {
  readonly isp: string;
  readonly key: string;
  readonly strategy: string;
  readonly sessions: number;
  readonly max_sessions: number;
  /** Null: no limit. */
  readonly rate_per_second: number | null;
  /** A speed that was lowered by the receiver's replies or by a rule. */
  readonly slowed?: SlowedView | undefined;
  readonly warmup?: WarmupView | undefined;
  readonly in_flight: number;
  readonly queues: number;
  readonly waiting?: string | undefined;
  readonly last_error?: ErrorView | undefined;
}

export interface SlowedView {
  readonly per_second: number;
  /** What the receiver is known to bear. */
  readonly known_per_second: number;
  readonly changed_at: string;
  readonly reason: string;
  readonly lowered_at: string;
  readonly lowered_because: string;
}

/** How far the warm-up of a node's address towards an ISP is. */
export interface WarmupView {
  readonly plan: string;
  /** From 1. */
  readonly stage: number;
  readonly stages: number;
  readonly daily_cap: number;
  /** The last day with mail, and what came of it. */
  readonly day: string;
  readonly delivered: number;
  readonly hard_bounces: number;
  readonly blocks: number;
  readonly paused_until?: string | undefined;
  readonly reason: string;
}

export interface NodeView {
  readonly name: string;
  readonly address: string;
  readonly hostname: string;
  readonly state: string;
  /** Absent while it runs. */
  readonly state_since?: string | undefined;
  readonly sessions: number;
  readonly max_sessions: number;
  readonly attempts: number;
  readonly delivered: number;
  readonly last_error?: ErrorView | undefined;
  readonly lanes: readonly LaneView[];
  /** Those that stop this node or a part of it. */
  readonly locks: readonly LockView[];
}

export interface AlertView {
  readonly name: string;
  readonly isp?: string | undefined;
  readonly node?: string | undefined;
  readonly since: string;
  /** When its cause was seen last: it ends soon (`alerts.clear_after`) unless that comes back. */
  readonly gone_since?: string | undefined;
  readonly text: string;
}

export interface FlowView {
  readonly since: string;
  readonly delivered: number;
  readonly soft_bounces: number;
  readonly hard_bounces: number;
  readonly last_delivered_at?: string | undefined;
  /** ISPs with mail that may go; where nothing was taken for longest first, ten at most. */
  readonly waiting: readonly WaitingView[];
  readonly more_waiting: number;
}

export interface WaitingView {
  readonly isp: string;
  readonly count: number;
  readonly oldest_seconds: number;
  readonly seconds_since_delivered: number;
  readonly why?: string | undefined;
}

export interface StatusView {
  readonly version: string;
  readonly hostname: string;
  readonly up_since: string;
  readonly uptime_seconds: number;
  /** By how much the wall clock was set forward (with a minus: back) since the start, if it was. */
  readonly clock_set_seconds?: number | undefined;
  readonly durability: string;
  readonly commits: CommitsView;
  readonly ready: boolean;
  readonly not_ready: readonly string[];
  /** What is wrong now, the oldest first. */
  readonly alerts: readonly AlertView[];
  readonly flow: FlowView;
  readonly data_dir: string;
  readonly config_file: string;
  readonly counters: Totals & { readonly queued: number };
  readonly queue: QueueTotals;
  readonly nodes: readonly Pick<
    NodeView,
    'name' | 'address' | 'state' | 'state_since' | 'sessions' | 'max_sessions'
  >[];
  readonly events: { readonly first_seq: number; readonly last_seq: number };
  readonly inbound: InboundView;
}

/** Commits of the last minute, the one under way included when it is slow (`alerts.slow_commit`). */
export interface CommitsView {
  readonly count: number;
  /** Absent without any. */
  readonly mean_ms?: number | undefined;
  readonly slow: number;
}

/** Mail to the MX. */
export interface InboundView {
  readonly waiting: number;
  readonly waiting_bytes: number;
  readonly oldest_seconds?: number | undefined;
  /** Deliveries whose reports wait for their end. */
  readonly early: number;
  readonly quarantined: number;
  readonly quarantined_bytes: number;
  /** Since the start: what the mails were, and what they led to. */
  readonly reports: readonly { readonly kind: string; readonly verdict: string; readonly count: number }[];
}

export interface ReloadView {
  readonly changed: readonly string[];
  readonly needs_restart: readonly string[];
}

export function addOverview(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/status', async (request, reply) => {
    const query = checkRequest(noQuery, request.query);
    return answer(reply, query.ok ? ok(await statusView(deps)) : query);
  });
  app.get('/v1/nodes', async (request, reply) => {
    const query = checkRequest(noQuery, request.query);
    if (!query.ok) return answer(reply, query);
    const locks = deps.egress.control.locks();
    const view = (node: NodeFigures): NodeView => nodeView(deps, node, locks);
    // A node between two turns: each may have a lane for every ISP.
    return answerList(
      reply,
      { name: 'nodes', items: deps.egress.nodeFigures(), view, size: 1 },
      new Slices(),
    );
  });
  app.post('/v1/config/reload', async (request, reply) => {
    const body = checkRequest(noBody, request.body);
    return answer(reply, body.ok ? await reload(deps) : body);
  });
}

/** Less is no step (queue: `STEP_MS`). */
const CLOCK_SET_MS = 10_000;
const clockSet = (ms: number): number | undefined =>
  Math.abs(ms) < CLOCK_SET_MS ? undefined : Math.round(ms / 1000);

const commitsView = ({ count, ms, slowCount }: CommitTime): CommitsView => ({
  count,
  mean_ms: count === 0 ? undefined : Number((ms / count).toPrecision(3)),
  slow: slowCount,
});

async function statusView(deps: ApiDependencies): Promise<StatusView> {
  const slices = new Slices();
  const queue = await queueTotals(deps, slices);
  const status = deps.status();
  const flow = await status.flow(slices);
  const { counters, journal } = deps.queue.state;
  return {
    version: status.version,
    hostname: status.hostname,
    up_since: new Date(status.started).toISOString(),
    uptime_seconds: Math.floor(status.upMs / 1000),
    clock_set_seconds: clockSet(status.clockSetMs),
    durability: status.durability,
    commits: commitsView(status.commitTime),
    ready: status.ready,
    not_ready: status.notReady,
    alerts: status.alerts.map(({ since, goneSince, ...alert }) => ({
      ...alert,
      since: new Date(since).toISOString(),
      gone_since: isoTime(goneSince),
    })),
    flow: flowView(flow, deps.clock.now()),
    data_dir: status.dataDir,
    config_file: status.configFile,
    counters: counters.sum(),
    queue,
    nodes: deps.egress.nodeFigures().map(({ name, address, state, stateSince, sessions, maxSessions }) => ({
      name,
      address,
      state,
      state_since: isoTime(stateSince),
      sessions,
      max_sessions: maxSessions,
    })),
    events: { first_seq: journal.first, last_seq: journal.last },
    inbound: inboundView(deps),
  };
}

function inboundView({ queue, metrics, clock }: ApiDependencies): InboundView {
  const { waiting, kept } = queue.inbox;
  return {
    waiting: waiting.mails,
    waiting_bytes: waiting.bytes,
    oldest_seconds: oldestSeconds(queue, clock),
    early: queue.state.early.size,
    quarantined: kept.mails,
    quarantined_bytes: kept.bytes,
    reports: metrics.reports,
  };
}

function flowView({ since, sums, lastDelivered, waiting }: Flow, now: number): FlowView {
  const seconds = (at: number): number => Math.max(0, Math.floor((now - at) / 1000));
  return {
    since: new Date(since).toISOString(),
    delivered: sums.delivered,
    soft_bounces: sums.soft,
    hard_bounces: sums.hard,
    last_delivered_at: isoTime(lastDelivered),
    waiting: waiting.slice(0, MOST_WAITING).map((one) => ({
      isp: one.isp,
      count: one.count,
      oldest_seconds: Number.isFinite(one.oldest) ? seconds(one.oldest) : 0,
      seconds_since_delivered: seconds(one.lastDelivered),
      why: one.why,
    })),
    more_waiting: Math.max(0, waiting.length - MOST_WAITING),
  };
}

function nodeView({ egress, clock }: ApiDependencies, node: NodeFigures, locks: readonly Lock[]): NodeView {
  const { name, address, hostname, state, sessions, maxSessions, attempts, delivered, lastError } = node;
  return {
    name,
    address,
    hostname,
    state,
    state_since: isoTime(node.stateSince),
    sessions,
    max_sessions: maxSessions,
    attempts,
    delivered,
    last_error: errorView(lastError),
    lanes: [...egress.lanes({ node: name })].map(laneView),
    locks: locks
      .filter(({ record }) => (record.node ?? name) === name)
      .map((lock) => lockView(lock, clock.now())),
  };
}

function laneView({
  maxSessions,
  ratePerSecond,
  inFlight,
  lastError,
  slowed,
  warmup,
  ...lane
}: LaneStatus): LaneView {
  return {
    ...lane,
    max_sessions: maxSessions,
    rate_per_second: ratePerSecond ?? null,
    slowed: slowed && slowedView(slowed),
    warmup: warmup && warmupView(warmup),
    in_flight: inFlight,
    last_error: errorView(lastError),
  };
}

const slowedView = (slowed: NonNullable<LaneStatus['slowed']>): SlowedView => ({
  per_second: slowed.perSecond,
  known_per_second: slowed.known,
  changed_at: new Date(slowed.changedAt).toISOString(),
  reason: slowed.reason,
  lowered_at: new Date(slowed.cutAt).toISOString(),
  lowered_because: slowed.cutReason,
});

const warmupView = (warmup: NonNullable<LaneStatus['warmup']>): WarmupView => ({
  plan: warmup.plan,
  stage: warmup.stage + 1,
  stages: warmup.stages,
  daily_cap: warmup.dailyCap,
  day: warmup.day,
  delivered: warmup.delivered,
  hard_bounces: warmup.hard,
  blocks: warmup.blocked,
  paused_until: warmup.pausedUntil > 0 ? new Date(warmup.pausedUntil).toISOString() : undefined,
  reason: warmup.reason,
});

const errorView = (error: NodeFigures['lastError']): ErrorView | undefined =>
  error && { at: new Date(error.at).toISOString(), text: error.text };

const isoTime = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString();

async function reload(deps: ApiDependencies): Promise<Result<ReloadView, Refused>> {
  const result = await deps.reload();
  if (result.ok) return ok({ changed: result.value.changed, needs_restart: result.value.needsRestart });
  const count = result.error.length === 1 ? '1 error' : `${result.error.length} errors`;
  return err({
    status: 422,
    code: 'configuration',
    message: `the configuration has ${count}; the running one stays`,
    details: { problems: result.error },
  });
}
