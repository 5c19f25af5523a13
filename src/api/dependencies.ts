/** What the API needs from the rest of the program; the composition root puts it together. */
import type { ActiveAlert, Flow, Walk } from '../alerts/index.ts';
import type { Clock, Result } from '../core/index.ts';
import type { EgressView } from '../mta/egress/index.ts';
import type { Injector } from '../mta/ingress/index.ts';
import type { Preview, RouteRequest, RoutingError } from '../routing/index.ts';
import type { AuditReport, CommitTime, Durability, Expected, Queue } from '../queue/index.ts';
import type { Metrics } from './metrics.ts';

/** The part of a pino logger that is used here. */
export interface Log {
  info(details: object, text: string): void;
  warn(details: object, text: string): void;
  error(details: object, text: string): void;
}

export interface ServerStatus {
  readonly version: string;
  readonly hostname: string;
  /** Wall time (ms) of the start. */
  readonly started: number;
  /** How long ago that was, whatever the wall clock was set to since. */
  readonly upMs: number;
  /** By how much the wall clock was set forward (or, with a minus, back) since. */
  readonly clockSetMs: number;
  readonly durability: Durability;
  readonly commitTime: CommitTime;
  readonly ready: boolean;
  /** Why it is not ready, one sentence each. */
  readonly notReady: readonly string[];
  /** What is wrong now, the oldest first. */
  readonly alerts: readonly ActiveAlert[];
  /** What went out lately, and what waits; work that only who wants it asks for. */
  flow(walk: Walk): Promise<Flow>;
  readonly dataDir: string;
  readonly configFile: string;
}

export interface Reloaded {
  readonly changed: readonly string[];
  readonly needsRestart: readonly string[];
}

export interface Targets {
  readonly nodes: readonly string[];
  readonly senders: readonly {
    readonly name: string;
    readonly nodes: readonly { readonly node: string; readonly weight: number }[];
  }[];
}

export interface ApiDependencies {
  readonly queue: Queue;
  readonly injector: Injector;
  readonly egress: EgressView;
  readonly clock: Clock;
  readonly metrics: Metrics;
  status(): ServerStatus;
  /** Who would send a message; no split takes a turn. */
  preview(request: RouteRequest): Result<Preview, RoutingError>;
  /** Reads the configuration again; the errors are lines as `check-config` prints them. */
  reload(): Promise<Result<Reloaded, readonly string[]>>;
  /** Audits the store, and these counts of ours against it; the error is a sentence. */
  audit(expected: Expected): Promise<Result<AuditReport, string>>;
  /** Where an operator may move mail to. */
  targets(): Targets;
  readonly log: Log;
  /** Largest message that may be injected (read at each request); bodies get room for base64 on top. */
  readonly maxMessageBytes: number;
  /** Bytes that unfinished requests may hold together. Default 256 MB. */
  readonly roomBytes?: number;
  /** Pause between the blank lines that keep a followed event stream alive. Default 15 s. */
  readonly heartbeatMs?: number;
}

/** What the routes share. */
export interface RouteContext {
  readonly deps: ApiDependencies;
  /** Aborts when the server closes: streams end. */
  readonly closing: AbortSignal;
}
