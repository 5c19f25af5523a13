export type { AcceptedMessage } from './messages.ts';
export type { AttemptView, DeliveryView, FinalView, LabelsView, MessageView } from './deliveries.ts';
export type { ApiDependencies, Log, Reloaded, ServerStatus } from './dependencies.ts';
export { type Commit, createMetrics, type Metrics, type MetricsOptions } from './metrics.ts';
export type { ErrorView, LaneView, NodeView, ReloadView, StatusView } from './overview.ts';
export type { QueueCounts, QueueTotals } from './queue-counts.ts';
export type { CampaignView, QueueReport, QueueRow } from './queue-report.ts';
export type { FieldProblem, RefusedCode } from './refused.ts';
export * as schemas from './schemas.ts';
export {
  type ControlServer,
  createControlServer,
  createStatusServer,
  type ListenAddress,
  type StatusServer,
} from './server.ts';
