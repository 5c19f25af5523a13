/**
 * The part of an injection that needs neither queue nor routes: envelope checked, header done, labels read, content
 * sealed. It runs where the message came in, which may be another thread than the one that owns the queue.
 */
import { createHash } from 'node:crypto';
import {
  sealed,
  err,
  formatAddress,
  messageIdOf,
  ok,
  parseAddress,
  type Result,
  SEAL_BYTES,
  withFront,
} from '../../core/index.ts';
import { type MessageRecord, TEST_CAMPAIGN } from '../../queue/index.ts';
import { prepareContent, type PreparedContent } from '../message/index.ts';
import type {
  InjectionRefusal,
  InjectRequest,
  Labels,
  PreparedMessage,
  Recipients,
  RejectedRecipient,
} from './contract.ts';
import { mergeLabels, parseLabels, strayDeadline, withinAccounts } from './labels.ts';
import { checkReversePath, invalid } from './refusals.ts';

/** What a reload may change. */
export interface MessageLimits {
  readonly hostname: string;
  readonly maxMessageBytes: number;
  readonly maxRecipients: number;
  readonly maxHeaderBytes?: number | undefined;
}

export function prepareMessage(
  request: InjectRequest,
  limits: MessageLimits,
  { nextNumber, now }: { readonly nextNumber: () => number; readonly now: number },
): Result<PreparedMessage, InjectionRefusal> {
  const checked = checkEnvelope(request, limits);
  if (!checked.ok) return checked;
  const { from, to, content, origin } = request;
  if (content.length > limits.maxMessageBytes) return err(tooLarge(content.length, limits));
  const number = nextNumber();
  const prepared = prepareContent(content, contentOptions(request, limits, { id: messageIdOf(number), now }));
  if (!prepared.ok) {
    const { code, enhanced, text } = prepared.error;
    return err({ kind: 'invalid', field: 'content', text, code, enhanced });
  }
  const parsed = parseLabels(prepared.value.labels, now);
  if (!parsed.ok) return err(invalid(parsed.error.field, parsed.error.text, [550, '5.6.0']));
  const within = withinAccounts(mergeLabels(parsed.value, request.labels), origin.allowedAccounts);
  if (!within.ok) return err(invalid('account_id', within.error, [550, '5.7.1']));
  const labels = within.value;
  const stray = strayDeadline(labels.deadline, labels.band);
  if (stray !== undefined) return err(deadlineRefused(request, stray));
  sealed(withFront(prepared.value.content));
  const { protocol, allowedSenders, caller } = origin;
  // Known only now: over SMTP the key is in the header.
  const repeatable = labels.idempotencyKey !== undefined;
  return ok({
    number,
    content: prepared.value.content,
    message: {
      ...recordOf(checked.value, labels, { ...rawFacts(prepared.value), createdAt: now }),
      ...(request.toOurselves && { toOurselves: true }),
    },
    labels,
    recipients: recipientsOf(to),
    origin: { protocol, allowedSenders, caller },
    digest: repeatable ? (request.digest ?? digestOf(from, to.join('\n'), content)) : undefined,
  });
}

/** Over SMTP the field is named in the text, which is all that is told. */
function deadlineRefused({ labels }: InjectRequest, text: string): InjectionRefusal {
  const field = 'X-Postrider-Deadline';
  return labels.deadline === undefined
    ? invalid(field, `${field}: ${text}`, [550, '5.6.0'])
    : invalid('deadline', text, [550, '5.6.0']);
}

function contentOptions(
  { lines, origin: { protocol, helo, peerAddress } }: InjectRequest,
  { hostname, maxHeaderBytes }: MessageLimits,
  { id, now }: { readonly id: string; readonly now: number },
): Parameters<typeof prepareContent>[1] {
  return {
    hostname,
    messageIdText: id,
    now,
    received: {
      protocol: protocol === 'SMTP' ? 'ESMTP' : protocol,
      helo: helo === '' ? undefined : helo,
      peerAddress: peerAddress === '' ? undefined : peerAddress,
      queueId: id,
    },
    room: SEAL_BYTES,
    ...(lines && { lines }),
    ...(maxHeaderBytes && { maxHeaderBytes }),
  };
}

/** The reverse-path as it is stored. */
export function checkEnvelope(
  { from, to }: Pick<InjectRequest, 'from' | 'to'>,
  { maxRecipients }: Pick<MessageLimits, 'maxRecipients'>,
): Result<string, InjectionRefusal> {
  if (to.length === 0) return err(invalid('to', 'a message needs at least one recipient', [550, '5.1.3']));
  if (to.length > maxRecipients) {
    return err(
      invalid(
        'to',
        `${to.length} recipients, the limit is ${maxRecipients} (smtp.max_recipients); use a batch or several messages`,
        [452, '4.5.3'],
      ),
    );
  }
  return checkReversePath(from);
}

export const tooLarge = (
  bytes: number,
  { maxMessageBytes }: Pick<MessageLimits, 'maxMessageBytes'>,
): InjectionRefusal =>
  invalid('content', `the message has ${bytes} bytes, the limit is ${maxMessageBytes}`, [552, '5.3.4']);

export function recipientsOf(to: readonly string[]): Recipients {
  const valid = new Set<string>();
  const rejected: RejectedRecipient[] = [];
  for (const given of to) {
    const address = parseAddress(given);
    if (address.ok) valid.add(formatAddress(address.value));
    else rejected.push({ recipient: given, text: address.error });
  }
  return { valid: [...valid], rejected };
}

export type ContentFacts = Pick<
  MessageRecord,
  'kind' | 'fromAddress' | 'fromDomain' | 'bytes' | 'eightBit' | 'dotLine' | 'smtpUtf8' | 'createdAt'
>;

export const recordOf = (from: string, labels: Labels, facts: ContentFacts): MessageRecord => ({
  from,
  ...facts,
  band: labels.band ?? 'standard',
  deadline: labels.deadline,
  ...(labels.test
    ? { campaignId: TEST_CAMPAIGN, test: true as const, testOf: labels.campaignId }
    : { campaignId: labels.campaignId }),
  accountId: labels.accountId,
  group: labels.group,
  metadata: labels.metadata,
});

const rawFacts = (prepared: PreparedContent): Omit<ContentFacts, 'createdAt'> => ({
  kind: 'raw',
  fromAddress: prepared.fromAddress,
  fromDomain: prepared.fromDomain,
  bytes: prepared.bytes,
  eightBit: prepared.eightBit,
  dotLine: prepared.dotLine,
  smtpUtf8: prepared.eightBitHeader,
});

export function digestOf(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('base64url');
}
