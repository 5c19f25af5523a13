/**
 * What the queue keeps. Values are JSON behind a CRC-32, so that a damaged one is noticed when it is read and a
 * person can read a healthy one; content is bytes behind a CRC-32.
 */
import { crc32 } from 'node:zlib';
import {
  SEAL_BYTES,
  sealed,
  type Bounce,
  type DeliveryId,
  type EventReply,
  type EventReport,
  type UndeliveredReason,
} from '../core/index.ts';
import type { Band, QueueHead } from './queue-head.ts';

/** The campaign of all mail that no statistics count, so it counts for no other. */
export const TEST_CAMPAIGN = '(test)';
/** Where the counts of an account's campaigns go when they are long over. */
export const OLDER_CAMPAIGNS = '(older)';

/** Facts that all deliveries of a message share. Absent labels are undefined. */
export interface MessageRecord {
  /** Reverse-path as given; the empty string is the null reverse-path. */
  readonly from: string;
  readonly fromAddress: string;
  readonly fromDomain: string;
  /** `raw`: the bytes to send; `campaign`: a content rendered for each recipient. */
  readonly kind: 'raw' | 'campaign';
  readonly bytes: number;
  readonly eightBit: boolean;
  readonly dotLine: boolean;
  /** The header has bytes above 127 (RFC 6532). That of a campaign is looked at when it is rendered. */
  readonly smtpUtf8: boolean;
  readonly createdAt: number;
  readonly band: Band;
  /** Wall time (ms): among mail of the band geo the earliest goes first. It ends nothing. */
  readonly deadline?: number | undefined;
  readonly virtualSender?: string | undefined;
  readonly campaignId?: string | undefined;
  /** Mail that no statistics count: a test send, or copies. `campaignId` is TEST_CAMPAIGN then. */
  readonly test?: true | undefined;
  /** The campaign that it would have counted for. */
  readonly testOf?: string | undefined;
  /** It goes to ourselves (`mx.forward_to`, copies): nothing that comes of it puts its recipient on the stop list. */
  readonly toOurselves?: true | undefined;
  readonly accountId?: string | undefined;
  readonly group?: string | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

export type AttemptOutcome = 'delivered' | 'soft_bounce' | 'hard_bounce' | 'undelivered';

export interface AttemptRecord {
  readonly at: number;
  readonly node: string;
  readonly mx?: string | undefined;
  readonly outcome: AttemptOutcome;
  readonly reply?: EventReply | undefined;
}

/** How a delivery ended. */
export interface FinalRecord {
  readonly type: 'delivered' | 'hard_bounce' | 'undelivered';
  readonly reason?: UndeliveredReason | undefined;
  readonly at: number;
  /** Sequence number of its event; absent where nothing can correct it. */
  readonly seq?: number | undefined;
  /** When a report took a delivery back; `at` stays what it was, so history ends in its order. */
  readonly correctedAt?: number | undefined;
}

/** What reports said of a finished delivery; each kind counts once. */
export type ReportedKind = 'bounce' | 'complaint' | 'unsubscribe';

export type StopScope = 'platform' | 'account' | 'none';

/** A report that names its delivery. */
export interface LateReport {
  readonly number: number;
  readonly index: number;
  readonly effect:
    | {
        readonly kind: 'bounce';
        readonly type: 'hard_bounce' | 'undelivered';
        readonly bounce: Bounce;
        readonly reply: EventReply;
      }
    | { readonly kind: 'complaint' | 'unsubscribe'; readonly reason?: string | undefined };
  readonly report: EventReport;
  readonly at: number;
  /** Whose mail is stopped by it. */
  readonly stop: StopScope;
}

/** What reports said of a delivery that has not ended. */
export interface EarlyReport {
  /** What took effect already. */
  readonly told: readonly ReportedKind[];
  /** What waits for the end. */
  readonly bounce?: LateReport | undefined;
}

export interface DeliveryRecord {
  readonly recipient: string;
  readonly sender: string;
  readonly node: string;
  readonly wakeAt: number;
  readonly expiresAt: number;
  /** The recipient's own deadline (wall ms), in place of the message's. */
  readonly deadline?: number | undefined;
  readonly attempts: readonly AttemptRecord[];
  /** Variables of the recipient, for a campaign's content. */
  readonly vars?: Readonly<Record<string, unknown>> | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly override?:
    { readonly fromEmail?: string; readonly fromName?: string; readonly replyTo?: string } | undefined;
  /** Another band than the message's, given by an operator. */
  readonly band?: Band | undefined;
  /** The delivery that this one is a copy of. */
  readonly copyOf?: DeliveryId | undefined;
  /** The mark (holds.ts) on single deliveries that fits this one. */
  readonly mark?: number | undefined;
  /** The job (its id) that brought `wakeAt` to a clock that was set back. */
  readonly redated?: number | undefined;
  /** Id of the queue that its slot may be in still: a job has changed the record and comes to the slots later. */
  readonly slotIn?: number | undefined;
  /** Set when a crash left open whether the message had been taken. */
  readonly possibleDuplicate?: true | undefined;
  readonly final?: FinalRecord | undefined;
  readonly reported?: readonly ReportedKind[] | undefined;
  /** The message itself, where it has one recipient only (spares a record on the hot path). */
  readonly message?: MessageRecord | undefined;
}

/** What `messages` holds for a message of several recipients. */
export interface SharedMessage {
  readonly message: MessageRecord;
  /** Deliveries accepted so far, and those still queued. */
  readonly accepted: number;
  readonly remaining: number;
  /** More deliveries may still be added (a batch under way). */
  readonly open: boolean;
}

/** One recipient of one message, as the program handles it. */
export interface Delivery {
  readonly id: DeliveryId;
  readonly number: number;
  readonly index: number;
  readonly record: DeliveryRecord;
  readonly message: MessageRecord;
  /** Whether the message has a record of its own (several recipients), or stands inline in the delivery's. */
  readonly shared: boolean;
}

/** A delivery handed to a worker; its outcome is fenced by `leaseId`. */
export interface LeasedDelivery extends Delivery {
  /** The queue it was taken from, or would have waited in. */
  readonly queue: QueueHead;
  readonly leaseId: number;
  /** Raw message bytes, or the encoded campaign content (message.kind). */
  readonly content: Buffer;
}

/** A value whose checksum does not fit: the disk or the store damaged it. */
export class DamagedValue extends Error {}

export function seal(payload: Buffer): Buffer {
  const value = Buffer.allocUnsafe(payload.length + SEAL_BYTES);
  payload.copy(value, SEAL_BYTES);
  return sealed(value);
}

/** The payload of a sealed value. Throws DamagedValue. */
export function unseal(value: Buffer): Buffer {
  const payload = value.subarray(SEAL_BYTES);
  if (value.length < SEAL_BYTES || value.readUInt32BE(0) !== crc32(payload))
    throw new DamagedValue('checksum does not fit');
  return payload;
}

/** The text is written once, behind room for its checksum. */
export const sealText = (text: string): Buffer => sealed(Buffer.from(`\0\0\0\0${text}`));
export const encode = (record: object): Buffer => sealText(JSON.stringify(record));

/** What a record ends with that has ended. */
export const finalBytes = (final: FinalRecord): Buffer => Buffer.from(`,"final":${JSON.stringify(final)}}`);

/** The stored record of a delivery with its end (`finalBytes`) behind the other fields, which are not written anew. */
export function withFinal(stored: Buffer, end: Buffer): Buffer {
  const brace = stored.length - 1;
  const value = Buffer.allocUnsafe(brace + end.length);
  value.set(stored, 0);
  value.set(end, brace);
  return sealed(value);
}
export const decode = <T>(value: Buffer): T => JSON.parse(unseal(value).toString()) as T;

/** Told of a value that cannot be read: what it was, and what follows from that. */
export type DamageTold = (what: string, consequence: string) => void;

export const TOLD_NOBODY: DamageTold = () => undefined;

/** Undefined for a value that is damaged: an audit names it. */
export function healthy<T>(value: Buffer): T | undefined {
  try {
    return decode<T>(value);
  } catch {
    return undefined;
  }
}
