/**
 * `parseReport`: what a mail to one of our boxes is. A pure function of the bytes: no input, no output, no clock; work
 * and result are bounded (part.ts, LIMITS), so it can run in a worker with a time limit that it never reaches.
 *
 * The order decides, from what is certain to what is guessed: a feedback report, a disposition notification, a
 * delivery-status part, a complaint or a bounce in somebody's own form, an automatic reply, a request to unsubscribe.
 */
import { addressesIn, addressIn, messageIdsIn } from './addresses.ts';
import { feedbackOf, JMRP_STAMP, readFeedback } from './arf.ts';
import { bounceOf, looksLikeBounce } from './bounce.ts';
import { decodeWords } from './decode.ts';
import { allOf, fieldOf } from './header.ts';
import { isAutoReply, isChallenge, isMdn, isUnsubscribe } from './kind.ts';
import { noticeOf } from './notice.ts';
import { originalFrom, originalOf } from './original.ts';
import { LIMITS, type Part, readMail, walk } from './part.ts';
import { tokenCandidates } from './tokens.ts';
import type { MailHead, ParsedMail, ParsedReport } from './types.ts';

export function parseReport(raw: Buffer): ParsedReport {
  const root = readMail(raw);
  const parts = [...walk(root)];
  const notice = noticeOf(root);
  const head = headOf(root);
  // INTEROP(Outlook JMRP): the mail complained of itself, with a stamp in front of its header.
  const stamp = fieldOf(root.fields, JMRP_STAMP);
  const original =
    originalOf(root, notice.quoted) ?? (stamp === undefined ? undefined : originalFrom(root.fields));
  const texts = [
    raw.subarray(0, LIMITS.bytes).toString('latin1'),
    ...parts.filter(({ children }) => children.length === 0).map((part) => part.text()),
  ];
  const mail: ParsedMail = { head, tokenCandidates: tokenCandidates(texts), original };
  const feedback = parts.find(({ type }) => type === 'message/feedback-report');
  if (feedback) return readFeedback(feedback.text(), mail);
  if (isMdn(root)) return { ...mail, kind: 'mdn' };
  if (stamp !== undefined && original) return feedbackOf([{ name: JMRP_STAMP, value: stamp }], mail);
  if (isTextComplaint(mail)) return feedbackOf([], mail);
  const type = feedbackInWords(notice.text);
  if (type !== undefined) return feedbackOf([{ name: 'feedback-type', value: type }], mail);
  if (looksLikeBounce({ root, parts, mail, notice })) return bounceOf({ root, parts, mail, notice });
  if (isAutoReply(root, head.subject)) return { ...mail, kind: 'auto_reply' };
  if (isChallenge(root, head.subject)) return { ...mail, kind: 'challenge' };
  if (isUnsubscribe(head)) return { ...mail, kind: 'unsubscribe' };
  return { ...mail, kind: 'other' };
}

function headOf(root: Part): MailHead {
  const { fields } = root;
  const all = (...names: string[]): string => names.flatMap((name) => allOf(fields, name)).join(', ');
  return {
    from: addressIn(fieldOf(fields, 'from') ?? ''),
    replyTo: addressIn(fieldOf(fields, 'reply-to') ?? ''),
    to: addressesIn(all('to', 'cc', 'delivered-to', 'x-original-to', 'envelope-to')),
    subject: decodeWords(fieldOf(fields, 'subject') ?? ''),
    messageId: messageIdsIn(fieldOf(fields, 'message-id'))[0],
    references: messageIdsIn(all('in-reply-to', 'references')),
  };
}

/** INTEROP(Exim and others): a report in words only, by the sentences that RFC 5965 and DMARC filters use. */
function feedbackInWords(notice: string): string | undefined {
  if (/\bmessage claiming to be from you has failed\b.{0,60}\bDMARC\b/i.test(notice)) return 'auth-failure';
  return /\bThis is an? (?:e-?mail )?(?:abuse|spam|feedback) report (?:for|about) an e-?mail/i.test(notice)
    ? 'abuse'
    : undefined;
}

/** INTEROP(Outlook JMRP): the mail complained of, in a mail from staff@hotmail.com, without a machine-readable part. */
const isTextComplaint = ({ head, original }: ParsedMail): boolean =>
  original !== undefined &&
  (/complaint about message from/i.test(head.subject) || /^staff@hotmail\.com$/i.test(head.from ?? ''));
