/** What the page is told, every second or so. Types only: the page in the browser is built with them too. */
import type { AlertName, Event } from '../core/index.ts';
import type { CellSettings, NodeState } from '../mta/egress/index.ts';
import type { EventDraft } from '../queue/index.ts';
import type { Series } from '../alerts/index.ts';

export type { CellSettings } from '../mta/egress/index.ts';
export type { Series } from '../alerts/index.ts';
export type { NodeState } from '../mta/egress/index.ts';

export interface Counts {
  readonly new: number;
  readonly proc: number;
  readonly retry: number;
  readonly hold: number;
  readonly total: number;
}

export interface CellView extends Counts {
  readonly isp: string;
  readonly node: string;
  /** Age of its oldest delivery, where it is known. */
  readonly oldestSeconds?: number | undefined;
  readonly sessions: number;
  readonly maxSessions: number;
  /** Null: no limit; absent where no receiver of it is known yet, and where each of several has its own. */
  readonly ratePerSecond?: number | null | undefined;
  readonly strategy?: string | undefined;
  /** Deliveries and refusals of the last five minutes. */
  readonly delivered: number;
  readonly refused: number;
  /** Attempts per second in the last minutes: what `ratePerSecond` allows and what is done differ. */
  readonly perSecond: number;
  readonly slowed?: SlowedView | undefined;
  readonly lock?: LockLine | undefined;
  readonly warmup?: WarmupLine | undefined;
  /** Why nothing goes out just now. */
  readonly waiting?: string | undefined;
  readonly health: Health;
  readonly lastError?: ErrorView | undefined;
}

/** A speed that a receiver's replies or a rule have lowered. */
export interface SlowedView {
  readonly perSecond: number;
  readonly since: number;
  /** Absent before the sign-in: it may quote a receiver. */
  readonly reason?: string | undefined;
}

export interface LockLine {
  /** Only for mail to these hosts (`mx:mx.a.test`) of all that are of no ISP; before the sign-in they are not named. */
  readonly part?: { readonly lane?: string | undefined } | undefined;
  readonly since: number;
  /** Wall time (ms); absent: until it is lifted. */
  readonly until?: number | undefined;
  /** Name of the lock rule; absent: by an operator. */
  readonly rule?: string | undefined;
  readonly reason?: string | undefined;
}

/** How far an address is towards the ISP that is furthest behind, or whose warm-up is paused. */
export interface WarmupLine {
  readonly isp: string;
  /** From 1. */
  readonly stage: number;
  readonly stages: number;
  /** On its last day with mail; empty: there was none yet. */
  readonly day: string;
  readonly delivered: number;
  readonly dailyCap: number;
  /** Wall time (ms). */
  readonly pausedUntil?: number | undefined;
}

/** idle: nothing to do. slow: it waits or is refused a lot. stuck: mail waits and nothing goes out. */
export type Health = 'idle' | 'good' | 'slow' | 'stuck';

export interface ErrorView {
  readonly at: number;
  readonly text: string;
}

export interface NodeLine {
  readonly name: string;
  readonly address: string;
  readonly state: NodeState;
  /** Wall ms; absent while it runs. */
  readonly stateSince?: number | undefined;
  readonly sessions: number;
  readonly maxSessions: number;
  readonly delivered: number;
  readonly attempts: number;
  readonly queued: number;
  readonly lock?: LockLine | undefined;
  readonly warmup?: WarmupLine | undefined;
  readonly lastError?: ErrorView | undefined;
}

export interface IspLine {
  readonly name: string;
  readonly queued: number;
  readonly oldestSeconds?: number | undefined;
}

/** How fast something goes, and when it will be over, as `Pace` of the API says it. */
export interface PaceLine {
  /** Deliveries that ended, per second, in the last minutes. */
  readonly perSecond: number;
  /** ISO 8601; one of them at most. */
  readonly estimatedEnd?: string | undefined;
  readonly earliestEnd?: string | undefined;
}

export interface CampaignLine extends Counts, PaceLine {
  readonly account: string;
  readonly campaign: string;
  readonly accepted: number;
  readonly delivered: number;
  readonly hard: number;
  readonly undelivered: number;
}

export interface SenderLine extends Counts, PaceLine {
  readonly sender: string;
  /** Deliveries that ended since midnight. */
  readonly endedToday: number;
}

export interface RefusalView {
  readonly isp: string;
  readonly code?: number | undefined;
  readonly enhanced?: string | undefined;
  readonly category?: string | undefined;
  /** Without addresses; absent before the sign-in. */
  readonly text?: string | undefined;
  readonly hard: boolean;
  /** Id of the delivery that met it last; absent before the sign-in. */
  readonly example?: string | undefined;
  readonly count: number;
  readonly last: number;
}

/** What fires, or did not long ago. */
export interface AlertLine {
  readonly name: AlertName;
  readonly isp?: string | undefined;
  readonly node?: string | undefined;
  /** Wall times (ms): since when, and when its cause was seen last, if that is gone. */
  readonly since: number;
  readonly goneSince?: number | undefined;
  /** Absent before the sign-in: it may quote a receiver. */
  readonly text?: string | undefined;
}

export interface Snapshot {
  readonly at: number;
  readonly version: string;
  readonly hostname: string;
  readonly started: number;
  /** Wall time (ms) of the last delivery since then. */
  readonly lastDelivered?: number | undefined;
  readonly ready: boolean;
  readonly notReady: readonly string[];
  /** The oldest ones, and how many there are. */
  readonly alerts: readonly AlertLine[];
  readonly alertCount: number;
  /** The hour by minutes, and the last minute by seconds. */
  readonly hour: Series;
  readonly minute: Series;
  readonly queue: Counts & { readonly oldestSeconds?: number | undefined };
  readonly totals: { readonly accepted: number; readonly delivered: number; readonly failed: number };
  readonly nodes: readonly NodeLine[];
  /** The worst of the cells that are stuck or slow, and how many of those there are. */
  readonly worst: readonly CellView[];
  readonly notGood: number;
  /** From its first row and column on. */
  readonly grid: GridPart;
  readonly senders: readonly SenderLine[];
  readonly campaigns: CampaignPart;
  readonly refusals: readonly RefusalView[];
}

/** A window of the grid: rows are ISPs, columns nodes. */
export interface GridPart {
  /** Numbers of its first row and column, from 0. */
  readonly row: number;
  readonly column: number;
  /** How many there are in all. */
  readonly rows: number;
  readonly columns: number;
  readonly isps: readonly IspLine[];
  readonly nodes: readonly { readonly name: string; readonly state: string }[];
  readonly cells: readonly CellView[];
}

/** A window of the list of campaigns. */
export interface CampaignPart {
  readonly row: number;
  readonly rows: number;
  readonly campaigns: readonly CampaignLine[];
}

/** What a page shows of what a snapshot has no room for: words, each a part of a name (empty: all), and from where on. */
export interface Look {
  /** Each in the name of the ISP or of the node. */
  readonly grid: string;
  readonly row: number;
  readonly column: number;
  /** Each in the campaign or its account. */
  readonly campaigns: string;
  readonly campaign: number;
}

export interface Found {
  readonly look: Look;
  readonly grid: GridPart;
  readonly campaigns: CampaignPart;
}

/** What comes over the socket; the page sends a `Look`. Events only after the sign-in. */
export type LiveMessage =
  | { readonly type: 'found'; readonly found: Found }
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'events'; readonly events: readonly EventDraft[] };

export interface CellDetails {
  /** Newest first. */
  readonly errors: readonly Event[];
  readonly events: readonly Event[];
  /** What is set there, and where it is written. */
  readonly settings: readonly CellSettings[];
  /** How many of the newest events of the journal were looked at. */
  readonly looked: number;
}

export interface SessionView {
  readonly signedIn: boolean;
  /** Whether there is a token to sign in with. */
  readonly canSignIn: boolean;
  /** Whether the figures may be seen without. */
  readonly open: boolean;
}
