/** Feedback reports: the machine-readable part of RFC 5965 and RFC 6591, and complaints that have none. */
import { addressIn } from './addresses.ts';
import { type Field, readHeader } from './header.ts';
import type { FeedbackReport, ParsedMail } from './types.ts';

/** The field in which Outlook names who complained. */
export const JMRP_STAMP = 'x-hmxmroriginalrecipient';
const MAX_VALUES = 20;

export function readFeedback(text: string, mail: ParsedMail): FeedbackReport {
  return feedbackOf(blocks(text.replaceAll('\r\n', '\n')), mail);
}

export function feedbackOf(list: readonly Field[], mail: ParsedMail): FeedbackReport {
  const fields = new Map<string, string[]>();
  for (const { name, value } of list) {
    const values = fields.get(name) ?? [];
    if (values.length < MAX_VALUES) values.push(value);
    fields.set(name, values);
  }
  const first = (name: string): string | undefined => fields.get(name)?.[0];
  return {
    ...mail,
    kind: 'arf',
    feedbackType: /^[\w-]{1,60}/.exec((first('feedback-type') ?? 'abuse').toLowerCase())?.[0] ?? 'other',
    fields,
    recipients: recipientsOf(fields, mail),
    sourceIp: /[0-9A-Fa-f.:]{3,45}/.exec(first('source-ip') ?? '')?.[0],
    arrivalDate: first('arrival-date') ?? first('received-date'),
  };
}

/** INTEROP(AOL and others): blank lines and MIME fields inside the part. */
function blocks(text: string): Field[] {
  const fields: Field[] = [];
  let at = 0;
  while (at < text.length && fields.length < 500) {
    const header = readHeader(text, at, text.length);
    fields.push(...header.fields);
    const lineEnd = text.indexOf('\n', header.end);
    at = header.fields.length > 0 ? header.end : lineEnd < 0 ? text.length : lineEnd + 1;
  }
  return fields;
}

function recipientsOf(fields: ReadonlyMap<string, readonly string[]>, mail: ParsedMail): string[] {
  const named = ['original-rcpt-to', 'removal-recipient', JMRP_STAMP].flatMap(
    (name) => fields.get(name) ?? [],
  );
  const found = named.map(addressIn).filter((one) => one !== undefined && !isRedacted(one)) as string[];
  if (found.length > 0) return [...new Set(found)];
  return (mail.original?.to ?? []).filter((one) => !isRedacted(one)).slice(0, 20);
}

/** Placeholders that reporters put in the place of an address. */
export const isRedacted = (address: string): boolean =>
  /^(?:redacted|hidden|removed|withheld|undisclosed|x{3,}|\*{2,})[\w.-]*@/i.test(address) ||
  /@(?:redacted|hidden|removed)\b/i.test(address);
