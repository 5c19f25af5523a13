/**
 * Bounces: what the delivery-status parts say, completed by what stands in words where they say nothing, or all in
 * words. A delivery-status part that lies in the text (a broken boundary, a forwarded bounce) counts as one.
 */
import { addressesIn } from './addresses.ts';
import { decodeWords } from './decode.ts';
import { type DeliveryStatus, readDeliveryStatus } from './delivery-status.ts';
import { actionOf, readTextBounce } from './dsn-text.ts';
import { allOf, fieldOf } from './header.ts';
import { isAutoReply } from './kind.ts';
import type { Notice } from './notice.ts';
import { type Part } from './part.ts';
import { tidyLine } from './reply-text.ts';
import type { Dsn, DsnRecipient, ParsedMail } from './types.ts';
import { ANNOUNCES, DAEMON, FAILED_SUBJECT } from './words.ts';

export interface ReadMail {
  readonly root: Part;
  readonly parts: readonly Part[];
  readonly mail: ParsedMail;
  readonly notice: Notice;
}

const STATUS_PART = /^message\/(?:global-)?delivery-status$/;
const EMBEDDED = /^(?:reporting-mta|final-recipient|original-recipient)[ \t]*:[ \t]*[\w-]{1,20}[ \t]*;/im;
/** `<user@example.net>:` alone on a line. */
const QMAIL_LINE = /^[ \t]*<[^<>\s]{1,320}@[^<>\s]{1,255}>:[ \t]*$/m;
const REPLY = /^.{0,40}\b[45]\d\d[ -](?:[45]\.\d{1,3}\.\d{1,3}|[<A-Za-z])/m;
const MAX_NOTICE = 2_000;

export function looksLikeBounce({ root, parts, mail, notice }: ReadMail): boolean {
  if (parts.some(({ type }) => STATUS_PART.test(type))) return true;
  if (fieldOf(root.fields, 'x-failed-recipients') !== undefined) return true;
  const { subject } = mail.head;
  const from = decodeWords(fieldOf(root.fields, 'from') ?? '');
  const daemon = DAEMON.test(from) || /^\s*<>?\s*$/.test(fieldOf(root.fields, 'return-path') ?? '-');
  const said = ANNOUNCES.test(notice.text);
  if (/^\s*(?:re|fwd?|aw|wg|sv)\s*:/i.test(subject) && !DAEMON.test(from)) return false;
  if (DAEMON.test(from) || /^\s*<>\s*$/.test(from))
    return FAILED_SUBJECT.test(subject) || said || EMBEDDED.test(notice.text) || QMAIL_LINE.test(notice.text);
  if (isAutoReply(root, subject) && !FAILED_SUBJECT.test(subject)) return false;
  const quotes = mail.original !== undefined || notice.quoted !== '' || REPLY.test(notice.text);
  return FAILED_SUBJECT.test(subject) && said && (daemon || quotes);
}

export function bounceOf(read: ReadMail): Dsn {
  const status = statusOf(read);
  const text = (): DsnRecipient[] => fromText(read);
  const recipients =
    status === undefined || status.recipients.length === 0 ? text() : completed(status.recipients, text);
  return {
    ...read.mail,
    kind: 'dsn',
    form: status === undefined ? 'text' : 'rfc3464',
    reportingMta: status?.reportingMta,
    notice: tidyLine(read.notice.text).slice(0, MAX_NOTICE),
    recipients,
  };
}

/** Of all delivery-status parts, else of the text. */
function statusOf({ parts, root }: ReadMail): DeliveryStatus | undefined {
  const found = parts
    .filter(({ type }) => STATUS_PART.test(type))
    .map((part) => readDeliveryStatus(part.text()));
  if (found.some(({ recipients }) => recipients.length > 0))
    return {
      reportingMta: found.map(({ reportingMta }) => reportingMta).find((mta) => mta !== undefined),
      recipients: found.flatMap(({ recipients }) => recipients),
    };
  return embedded(root, parts) ?? found[0];
}

function embedded(root: Part, parts: readonly Part[]): DeliveryStatus | undefined {
  for (const part of parts) {
    if (part !== root && !part.type.startsWith('text/')) continue;
    if (part.children.length > 0) continue;
    const text = part.text().replaceAll('\r', '');
    const at = EMBEDDED.exec(text)?.index;
    if (at === undefined) continue;
    const end = text.slice(at).search(/\n[ \t]*--\S/);
    const status = readDeliveryStatus(end < 0 ? text.slice(at) : text.slice(at, at + end));
    if (status.recipients.length > 0) return status;
  }
  return undefined;
}

/** Addresses that the machine-readable part does not give, from the words or the original. */
function completed(recipients: readonly DsnRecipient[], fromWords: () => DsnRecipient[]): DsnRecipient[] {
  if (recipients.every(({ address }) => address !== undefined)) return [...recipients];
  const known = new Set(recipients.map(({ address }) => address?.toLowerCase()));
  const words = fromWords().filter(({ address }) => !known.has(address?.toLowerCase()));
  return recipients.map((one) => {
    const word = one.address === undefined ? words.shift() : undefined;
    if (!word) return one;
    return {
      ...one,
      address: word.address,
      diagnostic: one.diagnostic === '' ? word.diagnostic : one.diagnostic,
    };
  });
}

function fromText({ root, mail, notice }: ReadMail): DsnRecipient[] {
  const { head, original } = mail;
  const own = new Set(
    [
      head.from,
      head.replyTo,
      ...addressesIn(allOf(root.fields, 'to').join(', ')),
      original?.from,
      original?.returnPath,
    ].flatMap((one) => (one === undefined ? [] : [one.toLowerCase()])),
  );
  const found = readTextBounce({
    notice: notice.text,
    subject: head.subject,
    failed: addressesIn(allOf(root.fields, 'x-failed-recipients').join(', ')),
    own,
    originalTo: original?.to ?? [],
    domain: head.from?.slice(head.from.lastIndexOf('@') + 1),
  });
  return found.length > 0 ? found : unnamed(notice, head.subject);
}

/** A bounce that names nobody: its token may. */
function unnamed({ text }: Notice, subject: string): DsnRecipient[] {
  const diagnostic = tidyLine(text);
  const none = { address: undefined, original: undefined, final: undefined, remoteMta: undefined };
  return [
    {
      ...none,
      action: actionOf({ notice: text, subject }),
      status: undefined,
      replyCode: undefined,
      diagnostic,
    },
  ];
}
