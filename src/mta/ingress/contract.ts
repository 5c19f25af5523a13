/**
 * What every way in (SMTP, control socket) asks of the injector, and what it answers. An answer is given only after
 * the synced commit; a refusal means that nothing was stored.
 */
import type { DeliveryId, MessageId, Result } from '../../core/index.ts';
import type { Band, MessageRecord } from '../../queue/index.ts';
import type { LineFacts } from '../message/index.ts';

/** What the platform says about a message; the same names over HTTP and as `X-Postrider-*` headers. */
export interface Labels {
  readonly virtualSender?: string | undefined;
  readonly sender?: string | undefined;
  readonly campaignId?: string | undefined;
  readonly accountId?: string | undefined;
  readonly group?: string | undefined;
  readonly band?: Band | undefined;
  /** Wall times in ms since the epoch. */
  readonly deadline?: number | undefined;
  readonly notBefore?: number | undefined;
  readonly expires?: number | undefined;
  /** No statistics count it, no policy holds for it. */
  readonly test?: boolean | undefined;
  /** Who sees mail of the campaign besides its recipients. */
  readonly copies?: readonly Copies[] | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** With it the request may be repeated: the answer is the same, nothing is sent twice. */
  readonly idempotencyKey?: string | undefined;
}

/** An address that gets the same mail as each recipient, or as the first so many of a request. */
export interface Copies {
  readonly to: string;
  readonly first?: number | undefined;
}

/** Where a message came from, for its Received field (RFC 5321 §4.4). */
export interface Origin {
  readonly protocol: 'ESMTP' | 'ESMTPS' | 'ESMTPA' | 'ESMTPSA' | 'SMTP' | 'HTTP';
  readonly helo: string;
  readonly peerAddress: string;
  /** Names the caller may send as; undefined means all. */
  readonly allowedSenders?: readonly string[] | undefined;
  /** Accounts the message may name, and need not where there is one; undefined means any. */
  readonly allowedAccounts?: readonly string[] | undefined;
  /** Who asks; keys of one caller mean nothing for another. */
  readonly caller?: string | undefined;
}

export interface InjectRequest {
  /** Reverse-path, without angle brackets; the empty string is the null reverse-path. */
  readonly from: string;
  readonly to: readonly string[];
  /** A whole message (RFC 5322). */
  readonly content: Buffer;
  /** What the way in has seen of its lines already. */
  readonly lines?: LineFacts | undefined;
  /** Win over the labels in the message's own headers. */
  readonly labels: Labels;
  readonly origin: Origin;
  /** The recipients are no audience but ourselves: nothing that comes of it puts them on the stop list. */
  readonly toOurselves?: true | undefined;
  /** Digest of the request as the caller gave it, where the way in knows more of it than this. */
  readonly digest?: string | undefined;
}

/** The parts of a message that the server composes; texts may hold `{{variables}}`. */
export interface ContentParts {
  readonly from: string;
  readonly reply_to?: string | undefined;
  readonly subject: string;
  readonly html?: string | undefined;
  readonly text?: string | undefined;
  readonly amp?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly attachments?:
    | readonly {
        readonly filename: string;
        readonly content_type: string;
        /** base64 */
        readonly content: string;
        readonly cid?: string | undefined;
      }[]
    | undefined;
}

export interface RejectedRecipient {
  readonly recipient: string;
  readonly text: string;
}

export interface Injected {
  readonly messageId: MessageId;
  readonly deliveries: readonly { readonly id: DeliveryId; readonly recipient: string }[];
  readonly rejected: readonly RejectedRecipient[];
}

/**
 * `invalid`: the caller's fault, `field` says where. `unavailable`: try again later. `conflict`: the idempotency key
 * belongs to another request.
 */
export interface InjectionRefusal {
  readonly kind: 'invalid' | 'unavailable' | 'conflict';
  readonly field: string | undefined;
  /** One sentence: what is wrong and what to write instead. */
  readonly text: string;
  /** The same as an SMTP reply. */
  readonly code: number;
  readonly enhanced: string;
}

/**
 * A message whose content is done: what the receiving side hands to the one that owns the queue. Plain values and
 * one buffer, so that it can go from one thread to another.
 */
export interface PreparedMessage {
  readonly number: number;
  /** With its checksum in front of it, in memory that nothing else uses (core/seal.ts). */
  readonly content: Buffer;
  readonly message: MessageRecord;
  readonly labels: Labels;
  readonly recipients: Recipients;
  readonly origin: Pick<Origin, 'protocol' | 'allowedSenders' | 'caller'>;
  /** Of the whole request; there when it may be repeated (labels.idempotencyKey). */
  readonly digest: string | undefined;
}

/** Each address once, in the form in which it is stored; and what is none. */
export interface Recipients {
  readonly valid: readonly string[];
  readonly rejected: readonly RejectedRecipient[];
}

/** What the SMTP server needs of the thread that owns the queue. */
export interface Intake {
  nextNumber(): number;
  /** Resolves when the message is durable, to the id it is known by: of a repeated one, that of the first. */
  submit(message: PreparedMessage): Promise<Result<MessageId, InjectionRefusal>>;
  /** Why the stop list refuses a recipient; undefined when it does not. */
  stopped(recipient: string): string | undefined | Promise<string | undefined>;
}

export interface VariableRules {
  /** What a recipient who lacks a variable gets: the default, else nothing (`empty`), or it is refused. */
  readonly missing?: 'empty' | 'refuse' | undefined;
  readonly defaults?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface BatchHeader extends VariableRules {
  /** Reverse-path of all deliveries. */
  readonly from: string;
  /** Parts, or a whole RFC 5322 message with `{{variables}}` in it. */
  readonly content: ContentParts | Buffer;
  readonly labels: Labels;
  readonly origin: Origin;
  readonly digest?: string | undefined;
}

export interface BatchLine {
  /** Line number in the request, from 1 (the header is line 1). */
  readonly line: number;
  readonly to: string;
  readonly vars?: Readonly<Record<string, unknown>> | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly notBefore?: number | undefined;
  /** Wall ms, in place of the batch's. */
  readonly deadline?: number | undefined;
  /** The line as it came; what a repeated line is compared by. */
  readonly source?: Buffer | undefined;
}

export interface RejectedLine {
  readonly line: number;
  readonly field: string;
  readonly message: string;
  /** The line is committed with other content: the batch is not the one that the idempotency key stands for. */
  readonly changed?: true;
}

/** A batch under way: content once, recipients in chunks. */
export interface Batch {
  readonly messageId: MessageId;
  /** An earlier request of the same idempotency key committed lines of it. */
  readonly resumed: boolean;
  /**
   * Resolves when all valid lines of the chunk are durable; returns the others. Line numbers grow. Lines that an
   * earlier request of the same idempotency key committed are durable already. Rejects when the store refuses.
   */
  add(lines: readonly BatchLine[]): Promise<readonly RejectedLine[]>;
  /** No more lines will come (also after a broken connection). */
  close(): Promise<void>;
}

export interface Injector {
  inject(request: InjectRequest): Promise<Result<Injected, InjectionRefusal>>;
  /** Composes `parts` and injects the result. */
  compose(
    request: Omit<InjectRequest, 'content'> & VariableRules & { readonly parts: ContentParts },
  ): Promise<Result<Injected, InjectionRefusal>>;
  openBatch(header: BatchHeader): Promise<Result<Batch, InjectionRefusal>>;
}

/** Back-pressure in the middle of a batch; the message says why, in words for the caller. */
export class NoMailTaken extends Error {}
