export type {
  Batch,
  BatchHeader,
  BatchLine,
  ContentParts,
  Injected,
  InjectionRefusal,
  Injector,
  InjectRequest,
  Intake,
  Labels,
  Origin,
  RejectedLine,
  RejectedRecipient,
} from './contract.ts';
export { NoMailTaken } from './contract.ts';
export { createInjectionDoor, type DoorOptions, type InjectionDoor, intakeOf } from './door.ts';
export { type InjectorOptions, QueueInjector } from './injector.ts';
export type { InjectionAccess, InjectionRules, InjectionUser, ProxyRefusal } from './smtp.ts';
export { ReceivingThread, type ReceivingThreadOptions } from './thread-door.ts';
export { isPlainText, MAX_LABEL, MAX_METADATA_CHARS, parseTime } from './labels.ts';
export { networkCheck } from './networks.ts';
