/** What a sink is told. Everything has a default: a sink without options takes all mail on a free port. */
import type { Clock, Reply } from '../core/index.ts';
import type { ServerCapabilities } from '../mta/smtp/server/index.ts';
import type { SinkRule } from './sink-rules.ts';

export interface SinkRateLimit {
  /** RCPT commands of one peer address ... */
  readonly count: number;
  /** ... in any stretch of time this long. */
  readonly perMs: number;
  /** Part by which the limit may be exceeded unpunished; our own windows see arrivals, not departures. Default 0. */
  readonly tolerance?: number;
  /** 421 closes the session (default), 450 refuses the recipient. */
  readonly code?: 421 | 450;
}

export interface SinkTls {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** True refuses mail in clear. */
  readonly required?: boolean;
}

export interface SinkMessage {
  readonly number: number;
  readonly peerAddress: string;
  readonly helo: string;
  readonly tls: boolean;
  readonly from: string;
  readonly recipients: readonly string[];
  readonly content: Buffer;
}

export interface SinkOptions {
  /** Default: 127.0.0.1 and any free port. */
  readonly listen?: readonly { readonly host: string; readonly port: number }[];
  readonly hostname?: string;
  readonly capabilities?: Partial<ServerCapabilities>;
  readonly tls?: SinkTls;
  readonly maxMessageBytes?: number;
  readonly maxRecipients?: number;
  /** Connections above it are answered 421. */
  readonly maxSessions?: number;
  /** Default: 5 minutes. */
  readonly idleTimeoutMs?: number;
  readonly bareLineEnds?: 'refuse' | 'keep';
  /** Wait before each reply to EHLO, MAIL, RCPT and DATA, and before the greeting. */
  readonly replyLatencyMs?: number;
  /** Wait before the reply to the content. */
  readonly messageLatencyMs?: number;
  readonly rules?: readonly SinkRule[];
  /** Addresses and patterns that are answered 550 5.1.1. */
  readonly unknownUsers?: readonly string[];
  readonly rateLimit?: SinkRateLimit;
  /** Reply to a message that is taken; default 250 2.0.0. */
  readonly acceptReply?: Reply;
  /** What makes a second acceptance a duplicate; default: the recipient alone. */
  readonly duplicatesBy?: 'recipient' | 'recipient-and-message-id';
  /** How many messages to keep in memory; default 0. */
  readonly keep?: number;
  /** Directory for the messages as `000001.eml`, their envelopes beside them as `000001.json`. */
  readonly dump?: string;
  readonly onMessage?: (message: SinkMessage) => void;
  /** For shares; default Math.random. */
  readonly random?: () => number;
  readonly clock?: Clock;
}
