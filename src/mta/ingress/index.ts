export type {
  Batch,
  BatchHeader,
  BatchLine,
  ContentParts,
  Injected,
  InjectionRefusal,
  Injector,
  InjectRequest,
  Labels,
  Origin,
  RejectedLine,
  RejectedRecipient,
} from './contract.ts';
export { type InjectorOptions, QueueInjector } from './injector.ts';
export {
  createInjectionServer,
  type InjectionAccess,
  type InjectionServerOptions,
  type InjectionUser,
} from './smtp.ts';
export { isPlainText, MAX_LABEL, MAX_METADATA_CHARS, parseTime } from './labels.ts';
