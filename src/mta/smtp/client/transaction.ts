/**
 * What is sent in one transaction, what comes of it, and the commands that say so (RFC 5321 §3.3). Pure: the order
 * of writes and replies is in exchange.ts.
 */
import type { Phase, Refusal, Reply, Result } from '../../../core/index.ts';
import type { Capabilities } from './capabilities.ts';
import { internal, unsupported } from './refusals.ts';

/** Recipients that may be named; nothing: all. */
export type SpentTokens = number | void;

export interface Transaction {
  /** Reverse-path without angle brackets; the empty string is the null reverse-path. */
  readonly from: string;
  readonly recipients: readonly string[];
  /** The complete message with CRLF lines, not dot-stuffed, in parts of any size. */
  readonly content: readonly Buffer[];
  /** Sum of the parts. */
  readonly bytes: number;
  /** False only when no line is known to start with a dot; true also when that is unknown. */
  readonly dotLine: boolean;
  /** The content has bytes above 127. */
  readonly eightBit: boolean;
  /** An address or a header needs RFC 6531. */
  readonly smtpUtf8: boolean;
  /**
   * Called once, immediately before the first write that carries a RCPT: here the limiter's tokens are spent. It may
   * say how many of the recipients, from the first on, have one; the others are not named to the peer.
   */
  readonly beforeRcpt?: () => SpentTokens | Promise<SpentTokens>;
  /** Called once, immediately before the first write that carries content. */
  readonly beforeContent?: () => void;
}

export interface TransactionResult {
  /** One per recipient that was named, in order: the reply that accepted the message, or why it was not. */
  readonly recipients: readonly Result<Reply, Refusal>[];
  /** The last phase that was reached and the last reply of the peer, if it gave any. */
  readonly phase: Phase;
  readonly lastReply: Reply | undefined;
  /** True when the session can take another transaction. */
  readonly reusable: boolean;
  /** From the start, `beforeRcpt` included, to the last reply. */
  readonly ms: number;
}

/** The reason not to begin with this peer at all, if there is one. Nothing has been written then. */
export function obstacle(transaction: Transaction, peer: Capabilities): Refusal | undefined {
  const { from, recipients, bytes } = transaction;
  if (recipients.length === 0) return internal('a transaction without a recipient');
  if (!isSafe(from) || !recipients.every(isSafe)) return internal('an address that would break the command');
  if (transaction.smtpUtf8 && !peer.smtpUtf8) return unsupported('the peer has no SMTPUTF8 (5.6.7)', true);
  // Not permanent: any content can be encoded in 7 bits, so the verdict would be ours and not the peer's.
  if (transaction.eightBit && !peer.eightBitMime)
    return unsupported('the peer has no 8BITMIME (5.6.3)', false);
  if (peer.size !== undefined && peer.size > 0 && bytes > peer.size) {
    return unsupported(
      `the message of ${bytes} bytes is over the peer's limit of ${peer.size} (5.3.4)`,
      true,
    );
  }
  return undefined;
}

/** Addresses come validated; this guards the command line against a mistake on the way here. */
function isSafe(address: string): boolean {
  for (let i = 0; i < address.length; i++) {
    const unit = address.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f || unit === 0x3c || unit === 0x3e) return false;
  }
  return true;
}

export function mailCommand(transaction: Transaction, peer: Capabilities): string {
  let command = `MAIL FROM:<${transaction.from}>`;
  if (peer.size !== undefined) command += ` SIZE=${transaction.bytes}`;
  if (transaction.eightBit) command += ' BODY=8BITMIME';
  if (transaction.smtpUtf8) command += ' SMTPUTF8';
  return `${command}\r\n`;
}

export const rcptCommand = (recipient: string): string => `RCPT TO:<${recipient}>\r\n`;
