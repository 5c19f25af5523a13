export type { EgressSettings, Sender } from './context.ts';
export type { Report } from './report.ts';
export { decide, type Decision, type DecideInput } from './decide.ts';
export { Egress, type EgressOptions } from './egress.ts';
export { Limiter, type LimiterMark, type LimiterOptions } from './limiter.ts';
export { RoutePlanner, type RoutePlannerOptions } from './plan.ts';
export { retryDelayMs, type RetryRule } from './retry.ts';
export type { EgressView, LaneStatus, NodeState, NodeStatus } from './status.ts';
