export type { Addition, DecidedDelivery, NewDelivery, NewMessage, Way } from './accepting.ts';
export { audit, type AuditOptions, auditStore } from './audit.ts';
export type { AuditReport, CampaignTotals, Expected, Violation } from './audit-report.ts';
export { mendAnswer, type Traces, tracesOf } from './answer-mending.ts';
export {
  answerOps,
  DIGEST_BYTES,
  findAnswer,
  hasLines,
  type KeyedAnswer,
  type KnownLine,
  KnownLines,
  type LineDigest,
  linesOp,
} from './answers.ts';
export { backupStore, COMPACT_DIR, copyStore, removeCutCompact } from './copies.ts';
export { closeLeft, closeMessage } from './closing.ts';
export { type CommitTime, CommitTimes } from './commit-times.ts';
export type { Control, ControlChange } from './controls.ts';
export type { Commit, EventDraft, EventRun } from './committer.ts';
export { draftsOf } from './event-runs.ts';
export { type Row, type RowKey, rowName, type Sums, type Totals } from './counters.ts';
export { hasContent, oldestQueued, touch } from './housekeeping.ts';
export { type Conclusion, type InboundMail, Inbox, type QuarantinedMail, type WaitingMail } from './inbox.ts';
export { type InstanceLock, lockInstance, type LockRefusal } from './instance-lock.ts';
export { journalFull, type JournalLag, journalLags, LAG_WARNS, worstLag } from './journal-lag.ts';
export { type Kv, type Table, TABLES } from './kv.ts';
export type { Mark } from './holds.ts';
export type { JobRecord, Operation } from './job.ts';
export { deliveryEvent } from './labels.ts';
export { leasedAmiss } from './leased-check.ts';
export type { LateResult } from './late-report.ts';

export type { LeaseRequest } from './leasing.ts';
export type { LimitMark } from './limit-marks.ts';
export { withKillPoint } from './kill-points.ts';
export { type Durability, openLmdbKv, openLmdbReader, STORE_FILE } from './lmdb-kv.ts';
export { openMemoryKv } from './memory-kv.ts';
export {
  acceptedOf,
  contentOf,
  deliveriesOf,
  type DeliveryList,
  type DeliveryState,
  findDelivery,
  type FoundDelivery,
  listDeliveries,
  listInSlices,
  type ListRequest,
} from './lookup.ts';
export {
  type Operator,
  type OperatorAction,
  type OperatorEntry,
  OperatorLog,
  type OperatorLogQuery,
  type OperatorResult,
  parseEntryId,
} from './operator-log.ts';
export { HoldStands, OperationRefused, type OperationRequest } from './operations.ts';
export type { AttemptFacts, Outcome } from './outcomes.ts';
export { Policies, type SendLimit } from './policies.ts';
export { type Band, BANDS, type QueueHead, type QueueKey } from './queue-head.ts';
export { bandOfRank } from './queue-key.ts';
export { type DiskTrouble, Pressure, type PressureLevel, type PressureOptions } from './pressure.ts';
export type { Place, Quarantined } from './quarantine.ts';
export { type QuarantineRefusal, releaseQuarantined, removeQuarantined } from './quarantine-exits.ts';
export { Queue, type QueueOptions } from './queue.ts';
export { mistrustSlots } from './slot-mending.ts';
export { markCopy } from './store-mark.ts';
export { FORMAT, StoreVersionError } from './store-format.ts';
export {
  type AttemptRecord,
  type Delivery,
  type DeliveryRecord,
  type FinalRecord,
  type LateReport,
  type LeasedDelivery,
  type MessageRecord,
  type SharedMessage,
  TEST_CAMPAIGN,
} from './records.ts';
export type { Recovered } from './recovery.ts';
export { SendingFile } from './sending-file.ts';
export { isWhole, type Selector } from './selector.ts';
export type { Dispatcher, QueueState } from './state.ts';
export type { StopEntry, StopKey, StopList, StopListPage, StopListQuery, StopSource } from './stop-list.ts';
export { type StopKind, type StopTarget, stopTarget } from './stop-target.ts';
export { lookAtStore, type StoreFile } from './store-file.ts';
export { oldestOf } from './swept-rows.ts';
export { type Choose, lookingOnly, type Turns } from './turns.ts';
