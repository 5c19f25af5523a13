export type {
  AcceptedMessage,
  CampaignView,
  DeliveryView,
  MessageView,
  NodeView,
  QueueReport,
  SpeedView,
  StatusView,
} from '../api/index.ts';
export type { Event, EventType } from '../core/index.ts';
export type {
  BatchHeader,
  BatchOptions,
  BatchProgress,
  BatchRecipient,
  BatchResult,
  RejectedRecipient,
} from './batch.ts';
export type { Target } from './connection.ts';
export { ConnectionBroken, PostriderError } from './errors.ts';
export type { EventsOptions } from './events.ts';
export {
  type DeliveryFilter,
  type SpeedFilter,
  type Job,
  type Message,
  type OperationOptions,
  Postrider,
  type Selector,
} from './postrider.ts';
