/**
 * The contract between the protocol and whoever decides on mail. A handler method returns a reply, or undefined for
 * the default one, or a promise of either. A reply that is ready costs no promise; while a promise is open the
 * session reads nothing more. A method that throws is answered 451: a bug never bounces mail.
 */
import type { Reply } from '../../../core/index.ts';

/** One SMTP connection as its handler sees it. The object stays the same from onConnect to onClose. */
export interface SmtpSession {
  /** Counts up from 1 in each server. */
  readonly id: number;
  /** The client's: what a trusted proxy said, where there is one. Empty when the proxy does not know it. */
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localAddress: string;
  /** Argument of HELO or EHLO; empty before. Letters, digits and `.-_:[]` only. */
  readonly helo: string;
  /** True after EHLO. */
  readonly esmtp: boolean;
  readonly tls: { readonly version: string; readonly cipher: string } | undefined;
  /** What ServerAuth.verify answered. */
  readonly identity: string | undefined;
  /** Sends the replies that are held back for one write. */
  flush(): void;
  /** Ends the connection at once, without a reply. */
  destroy(): void;
  /** Never answers again: `discard` still reads what comes, `stop` lets the peer's window fill. For test peers. */
  stall(reading: 'discard' | 'stop'): void;
}

export type Answer = Reply | undefined | Promise<Reply | undefined>;

/** ESMTP parameters by upper-case keyword; the value is empty when there is none. */
export type Parameters = ReadonlyMap<string, string>;

export interface MailCommand {
  /** The reverse-path `local@domain` with an A-label domain; empty for the null reverse-path. */
  readonly address: string;
  readonly parameters: Parameters;
}

export interface RcptCommand {
  readonly address: string;
  readonly parameters: Parameters;
}

/** Of content in which each CR and LF is part of a CRLF. */
export interface LineFacts {
  /** False only when no line begins with a dot. */
  readonly dotLine: boolean;
}

export interface ReceivedMessage {
  /** Empty for the null reverse-path. */
  readonly from: string;
  readonly recipients: readonly string[];
  /** The message as it was meant (dots unstuffed), complete lines as sent. Not to be changed in place. */
  readonly content: Buffer;
  /** Undefined where nobody has looked: content that came by BDAT. */
  readonly lines: LineFacts | undefined;
  /** BODY=8BITMIME was declared. */
  readonly eightBit: boolean;
  readonly smtpUtf8: boolean;
}

export interface ServerHandler {
  /** Default: 220 with the banner. A negative reply ends the connection. */
  readonly onConnect?: (session: SmtpSession) => Answer;
  readonly onHelo?: (session: SmtpSession, name: string) => Answer;
  readonly onMail?: (session: SmtpSession, mail: MailCommand) => Answer;
  readonly onRcpt?: (session: SmtpSession, rcpt: RcptCommand) => Answer;
  /** DATA or the first BDAT of a transaction. */
  readonly onData?: (session: SmtpSession) => Answer;
  /** After every piece of content, with the bytes of this message so far. */
  readonly onContentBytes?: (session: SmtpSession, bytes: number) => void;
  /** A positive answer takes responsibility for the message. */
  readonly onMessage: (session: SmtpSession, message: ReceivedMessage) => Answer;
  readonly onClose?: (session: SmtpSession) => void;
}
