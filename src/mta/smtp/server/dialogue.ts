/**
 * What the commands may use of a dialogue, so that they depend on this page only and not on how bytes come and go
 * (conversation.ts). A command gets the line as bytes; what follows a handler's answer is a `Step`.
 */
import type { Reply } from '../../../core/index.ts';
import type { Answer, SmtpSession } from './handler.ts';
import type { Input } from './input.ts';
import type { Settings } from './options.ts';
import type { CannedReply } from './replies.ts';
import type { Transaction } from './transaction.ts';

export interface TlsInfo {
  readonly version: string;
  readonly cipher: string;
}

/** Where an AUTH exchange stands: what the next line is. */
export interface AuthExchange {
  readonly next: 'plain' | 'user' | 'password';
  readonly user: string;
}

/** What the next byte of the client is. */
export type Mode = 'greeting' | 'command' | 'auth' | 'data' | 'chunk' | 'handshake' | 'stalled' | 'closed';

export interface Dialogue extends SmtpSession {
  readonly settings: Settings;
  readonly input: Input;
  readonly transaction: Transaction;
  peerAddress: string;
  peerPort: number;
  localAddress: string;
  helo: string;
  esmtp: boolean;
  tls: TlsInfo | undefined;
  identity: string | undefined;
  auth: AuthExchange | undefined;
  mode: Mode;
  /** AUTH is offered where a password cannot be overheard: under TLS or on the loopback interface. */
  readonly mayAuthenticate: boolean;
  /** Decided when the connection came: XCLIENT does not change who may use it. */
  readonly mayXclient: boolean;

  reply(canned: CannedReply): void;
  /** Answers a handler's reply. 421 ends the session (RFC 5321 §3.8). */
  answer(reply: Reply): void;
  /** Answers an error of the client's and counts it. */
  refuse(canned: CannedReply): void;
  countError(): void;
  forgiveErrors(): void;
  /** A reply in wire form. */
  write(text: string): void;
  /** Consults a handler method; `step` goes on with its answer, at once when it needs no promise. */
  ask<A>(method: ((session: SmtpSession, arg: A) => Answer) | undefined, arg: A, step: Step): void;
  /** Lets a promise decide that is no handler's; it must not reject. */
  suspend<T>(promise: Promise<T>, step: (c: Dialogue, value: T) => void): Promise<void>;
  /** Answers 220 and hands over to TLS; what came in clear behind the command is discarded. */
  startTls(): void;
  /** A last reply, then the end. */
  close(canned: CannedReply): void;
  hangUp(): void;
}

/** What follows a handler's answer. A plain function, so that a synchronous answer needs no closure. */
export type Step = (c: Dialogue, answer: Reply | undefined) => void;

/** The line is bytes up to `end`, without its CRLF; `at` is where the argument begins. */
export type Command = (c: Dialogue, line: Buffer, at: number, end: number) => void;
