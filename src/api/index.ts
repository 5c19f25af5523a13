export type { Ack, ChunkFailure } from './batch-chunks.ts';
export type { Call, Scope } from './call.ts';
export type { AcceptedMessage } from './messages.ts';
export type { AttemptView, DeliveryView, FinalView, LabelsView, MessageView } from './deliveries.ts';
export type { ApiDependencies, Log, Reloaded, ServerStatus } from './dependencies.ts';
export { createMetrics, type Metrics, type MetricsOptions } from './metrics.ts';
export { describedMetrics, metricsReference } from './metrics-reference.ts';
export type { AuditLogEntryView, AuditLogView } from './audit-log.ts';
export { type Caller, setCaller, USER_HEADER } from './caller.ts';
export { CALLS } from './calls.ts';
export type { AccessToken } from './door.ts';
export { documentPath, openApiDocument, openApiText } from './openapi.ts';
export type { JobView, MarkView, SelectorView } from './operation-view.ts';
export type { ExplainedNode, ExplainView } from './explain.ts';
export type { LockView } from './nodes.ts';
export type { AllowanceView, SpeedView } from './speeds.ts';
export type {
  AlertView,
  ErrorView,
  FlowView,
  LaneView,
  NodeView,
  ReloadView,
  StatusView,
} from './overview.ts';
export { addRow, heldOf, ispLabel, noCounts, type QueueCounts, type QueueTotals } from './queue-counts.ts';
export type { QuarantineChange, QuarantinedView, QuarantineView } from './schemas-quarantine.ts';
export type { KeptMailContent, KeptMailRemoved, ReportQuarantineView } from './report-quarantine.ts';
export type { CampaignLimitsView, LimitedCampaign } from './campaign-limits.ts';
export type { CampaignsView, CampaignView } from './campaigns.ts';
export { type Pace, Paced } from './pace.ts';
export type { QueueReport, QueueRow } from './queue-report.ts';
export { answer, type FieldProblem, refuse, type RefusedCode } from './refused.ts';
export * as schemas from './schemas.ts';
export type { BounceReport, ReportRow } from './reports.ts';
export type { StopEntryView, StopListChange, StopListView } from './stop-list.ts';
export {
  type ControlServer,
  createControlServer,
  createStatusServer,
  type ListenAddress,
  type StatusPage,
  type StatusServer,
} from './server.ts';
export { checkRequest, instead } from './shape.ts';
export { SLICE, Slices } from './slices.ts';
