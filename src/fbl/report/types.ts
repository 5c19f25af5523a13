/**
 * What a mail to one of our report boxes turned out to be. Everything in here comes from strangers: it is bounded in
 * number and length, and nothing of it is verified. Only a token that verifies (../token.ts) names a delivery.
 */

export type ParsedReport = Dsn | FeedbackReport | UnsubscribeRequest | NotAReport;

export interface ParsedMail {
  /** Header of the mail itself. */
  readonly head: MailHead;
  /** `b+TOKEN@domain` and the like, wherever they stand in the mail: in its header, its text or the original's header. */
  readonly tokenCandidates: readonly string[];
  /** The mail that it speaks of, when any of it came back. */
  readonly original: OriginalMail | undefined;
}

export interface MailHead {
  /** Address of From, lower-cased domain; undefined when there is none. */
  readonly from: string | undefined;
  /** Address of Reply-To, when there is one. */
  readonly replyTo: string | undefined;
  /** Addresses of To, Cc, Delivered-To, X-Original-To and Envelope-To. */
  readonly to: readonly string[];
  readonly subject: string;
  /** Without angle brackets. */
  readonly messageId: string | undefined;
  /** Message-IDs of In-Reply-To and References, without angle brackets. */
  readonly references: readonly string[];
}

export interface OriginalMail {
  /** Names in lower case, values unfolded, in the order of the mail. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly messageId: string | undefined;
  readonly from: string | undefined;
  readonly to: readonly string[];
  readonly returnPath: string | undefined;
  readonly feedbackId: string | undefined;
}

/** A delivery status notification (RFC 3464, RFC 6533), or a bounce in somebody's own form. */
export interface Dsn extends ParsedMail {
  readonly kind: 'dsn';
  /** `rfc3464`: has a delivery-status part. `text`: read from words. */
  readonly form: 'rfc3464' | 'text';
  readonly reportingMta: string | undefined;
  /** What it says to people, one line, at most 2,000 characters. */
  readonly notice: string;
  /** At most 100. May be empty: a bounce that does not say of whom (its token may). */
  readonly recipients: readonly DsnRecipient[];
}

export type DsnAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export interface DsnRecipient {
  /** The address to act on: final, or original where final is no address; undefined when redacted or missing. */
  readonly address: string | undefined;
  /** As written, without its type. */
  readonly original: string | undefined;
  readonly final: string | undefined;
  /** Only `failed` is a bounce; `delayed` will be tried again by the other side. */
  readonly action: DsnAction;
  /** Enhanced status code, the most exact one of the report. */
  readonly status: string | undefined;
  readonly replyCode: number | undefined;
  /** The peer's words: diagnostic code, or the sentence of a text-only bounce; one line, at most 1,000 characters. */
  readonly diagnostic: string;
  readonly remoteMta: string | undefined;
}

/** A feedback report: ARF (RFC 5965), authentication failure (RFC 6591), JMRP, or a complaint in somebody's own form. */
export interface FeedbackReport extends ParsedMail {
  readonly kind: 'arf';
  /** `abuse`, `fraud`, `virus`, `not-spam`, `auth-failure`, `opt-out`, `other`, ... in lower case. */
  readonly feedbackType: string;
  /** Fields of the machine-readable part; names in lower case, each with all its values. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** Of Original-Rcpt-To, Removal-Recipient or the original's header; redacted ones are left out. */
  readonly recipients: readonly string[];
  readonly sourceIp: string | undefined;
  /** Received-Date or Arrival-Date as written. */
  readonly arrivalDate: string | undefined;
}

/** Mail that asks to take somebody off the list: to a List-Unsubscribe address, or an opt-out in words. */
export interface UnsubscribeRequest extends ParsedMail {
  readonly kind: 'unsubscribe';
}

/** Mail that no machine should act on; `kind` says which sort it was recognised as. */
export interface NotAReport extends ParsedMail {
  readonly kind: 'auto_reply' | 'mdn' | 'challenge' | 'other';
}
