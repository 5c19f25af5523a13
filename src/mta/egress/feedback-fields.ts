/**
 * Header fields by which the answers to a mail find their delivery: a signed token for reports that leave the return
 * path out, and List-Unsubscribe (RFC 2369, RFC 8058) where the message has none. They are made before the signature,
 * which covers them, and only for senders that ask for them.
 */
import type { LeasedDelivery } from '../../queue/index.ts';
import type { SenderConfig } from '../../config/index.ts';
import type { Tokens } from '../../fbl/index.ts';
import { firstField, scanHeader } from '../message/index.ts';

export interface FeedbackInput {
  readonly delivery: LeasedDelivery;
  readonly sender: SenderConfig;
  readonly tokens: Tokens;
  /** RFC 8058 §4: a one-click field counts only where a DKIM signature covers it. */
  readonly signed: boolean;
}

/** The fields to put in front of the message; empty when there is nothing to add. */
export const feedbackFields = (content: Buffer, input: FeedbackInput): Buffer =>
  Buffer.from(tokenField(input) + unsubscribeFields(content, input), 'latin1');

/** RFC 5321 §4.4: the null reverse-path of a report stays null. */
export const hasOwnReturnPath = (
  { message }: LeasedDelivery,
  { returnPathDomain, returnPath }: SenderConfig,
): boolean => message.from !== '' && returnPathDomain !== null && returnPath === 'per_delivery';

function tokenField({ delivery, sender, tokens }: FeedbackInput): string {
  const { returnPathDomain: domain } = sender;
  if (domain === null || !hasOwnReturnPath(delivery, sender)) return '';
  return `Postrider-Delivery: ${tokens.address('header', delivery.id, domain)}\r\n`;
}

/** A list that names its own way out keeps it. */
function unsubscribeFields(content: Buffer, { delivery, sender, tokens, signed }: FeedbackInput): string {
  const { listUnsubscribe: wanted, returnPathDomain: domain } = sender;
  if (wanted === null || firstField(scanHeader(content), 'list-unsubscribe')) return '';
  const ways: string[] = [];
  if (wanted.mailto && domain !== null)
    ways.push(`<mailto:${tokens.address('unsubscribe', delivery.id, domain)}?subject=unsubscribe>`);
  if (wanted.url !== null) ways.push(`<${wanted.url.replaceAll('{token}', tokens.urlToken(delivery.id))}>`);
  if (ways.length === 0) return '';
  const oneClick =
    wanted.url !== null && signed ? 'List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n' : '';
  return `List-Unsubscribe: ${ways.join(',\r\n ')}\r\n${oneClick}`;
}
