/**
 * What a session collects between MAIL and the end of the message. One object per session, reset in place, so a
 * transaction costs no allocation but its addresses. Memory is bounded by maxRecipients and maxMessageBytes.
 */
import type { Reply } from '../../../core/index.ts';
import { Content, type Budget } from './content.ts';
import { DataReader } from './data-reader.ts';
import type { CannedReply } from './replies.ts';
import type { Settings } from './options.ts';

export class Transaction {
  readonly content: Content;
  readonly reader: DataReader;
  /** Undefined outside a transaction, empty for the null reverse-path. */
  from: string | undefined;
  recipients: string[] = [];
  /** RCPT was tried, whatever became of it. */
  rcptTried = false;
  eightBit = false;
  smtpUtf8 = false;
  /** Address of the MAIL or RCPT that a handler thinks about. */
  pending = '';
  /** A BDAT was seen: DATA is refused until the next transaction (RFC 3030 §2). */
  chunked = false;
  /** A chunk was refused: so is the rest. */
  failed = false;
  chunkLeft = 0;
  chunkLast = false;
  /** What the chunk being skipped will be answered with; undefined for one that is kept. */
  chunkRefusal: CannedReply | Reply | undefined;

  constructor(settings: Settings, budget: Budget) {
    this.content = new Content(settings.maxMessageBytes, budget);
    this.reader = new DataReader(this.content);
  }

  get open(): boolean {
    return this.from !== undefined;
  }

  reset(): void {
    this.from = undefined;
    this.recipients = [];
    this.rcptTried = false;
    this.eightBit = false;
    this.smtpUtf8 = false;
    this.pending = '';
    this.chunked = false;
    this.failed = false;
    this.chunkLeft = 0;
    this.chunkLast = false;
    this.chunkRefusal = undefined;
    this.content.reset();
    this.reader.reset();
  }
}
