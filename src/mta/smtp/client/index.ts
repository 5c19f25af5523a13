export type { Capabilities } from './capabilities.ts';
export { openSession } from './open.ts';
export { isOurLack, type TlsFacts } from './connection.ts';
export { DEFAULT_TIMEOUTS, type SessionOptions, type Timeouts, type TlsMode } from './options.ts';
export type { IoFailure } from './refusals.ts';
export { ReplyParser, toReply, type ParsedReply } from './reply-parser.ts';
export type { ClientSession, SessionFacts } from './session.ts';
export type { Transaction, TransactionResult } from './transaction.ts';
