/** What the sending side says of itself, for the API, metrics and the CLI. */
import type { SpeedState } from './speed-control.ts';
import type { WarmupState } from './warmup.ts';

export type NodeState = 'running' | 'draining' | 'locked' | 'down' | 'stopped';

export interface LaneStatus {
  /** ISP name, or `other`. */
  readonly isp: string;
  /** What the limits are counted by: the ISP's name, or `mx:<hosts>` for all other domains. */
  readonly key: string;
  readonly strategy: string;
  readonly sessions: number;
  readonly maxSessions: number;
  /** Recipients per second that the strategy allows; undefined means no limit. */
  readonly ratePerSecond: number | undefined;
  /** The lowered speed and why; undefined: the strategy's own. */
  readonly slowed: SpeedState | undefined;
  /** The warm-up of the address towards this ISP, while it lasts. */
  readonly warmup:
    (WarmupState & { readonly plan: string; readonly stages: number; readonly dailyCap: number }) | undefined;
  /** Deliveries leased and not ended. */
  readonly inFlight: number;
  readonly queues: number;
  /** Why nothing goes out just now, in words; undefined when it flows. */
  readonly waiting: string | undefined;
  readonly lastError: { readonly at: number; readonly text: string } | undefined;
}

/** A node without what it has towards each ISP, which may be thousands of lanes. */
export interface NodeFigures {
  readonly name: string;
  readonly address: string;
  readonly hostname: string;
  readonly state: NodeState;
  /** Wall ms: as an operator ordered it, or as the program found it since its start; undefined while it runs. */
  readonly stateSince: number | undefined;
  readonly sessions: number;
  readonly maxSessions: number;
  readonly attempts: number;
  readonly delivered: number;
  /** Not what is said of a recipient only, such as greylisting: it happens all the time, at every node. */
  readonly lastError: { readonly at: number; readonly text: string } | undefined;
}

export interface NodeStatus extends NodeFigures {
  readonly lanes: readonly LaneStatus[];
}
