/**
 * A message from parts (`from`, `subject`, `html`, ...) as the API takes them. Runs once, at acceptance: it refuses
 * what could not be sent, fixes Date and boundaries, and encodes everything that does not vary.
 * The error names the field of the request.
 */
import { err, ok, type Result } from '../../core/index.ts';
import { campaignContent, type CampaignContent, type Step } from './campaign.ts';
import { addressStep, fieldStep, mailboxTemplates, type FieldError } from './field-template.ts';
import { formatDate } from './header-text.ts';
import { MAX_HEADER_BYTES } from './header.ts';
import { messageTree, textNode, type FilePart, type MimeNode } from './mime-tree.ts';
import { describe, isConstant } from './template.ts';
import { fixed, lineEnd, textPart } from './text-part.ts';

export interface Attachment {
  readonly filename: string;
  readonly content_type: string;
  /** Base64. */
  readonly content: string;
  /** Content-ID without brackets: the file is inline, `<img src="cid:...">` in the html refers to it. */
  readonly cid?: string;
}

export interface ContentParts {
  readonly from: string;
  readonly reply_to?: string;
  /** Default `{{recipient}}`. */
  readonly to?: string;
  readonly subject: string;
  readonly html?: string;
  readonly text?: string;
  /** An AMP document, for receivers that show one; others show html or text, so one of these is needed too. */
  readonly amp?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly attachments?: readonly Attachment[];
}

export interface ComposeOptions {
  /** Right side of Message-ID. */
  readonly hostname: string;
  /** Wall time in ms; becomes Date. */
  readonly now: number;
  /** Text of the boundaries, different for each content (letters and digits). */
  readonly unique: string;
}

/** Fields that have their own place in the request, or that only the MTA may set. */
const RESERVED = new Set(
  'from to reply-to subject date message-id mime-version bcc return-path received dkim-signature'.split(' '),
);
const ADDRESS_FIELDS = new Set(['cc', 'sender', 'disposition-notification-to']);
const MAX_FIELD_NAME = 60;
const MAX_FILENAME = 255;

export function composeContent(
  parts: ContentParts,
  options: ComposeOptions,
): Result<CampaignContent, FieldError> {
  const large = fieldBeyond(parts, MAX_HEADER_BYTES);
  if (large !== undefined) return failed(large, `the header would be larger than ${MAX_HEADER_BYTES} bytes`);
  const from = senderOf(parts.from);
  if (!from.ok) return failed('from', from.error);
  const header = headerSteps(parts, options);
  if (!header.ok) return header;
  const tree = bodyTree(parts, options.unique);
  if (!tree.ok) return tree;
  const fromDomain = from.value.slice(from.value.lastIndexOf('@') + 1);
  const origin = { fromAddress: from.value, fromDomain, messageIdHost: options.hostname };
  const contentFields = fixed(`MIME-Version: 1.0\r\n${tree.value.header}`);
  return ok(campaignContent(origin, [...header.value, contentFields, lineEnd], tree.value.body));
}

const failed = (field: string, message: string): Result<never, FieldError> => err({ field, message });

/** The field with which the texts of the header have more characters than that. */
function fieldBeyond({ from, reply_to = '', to = '', subject, headers = {} }: ContentParts, most: number) {
  let left = most;
  for (const [name, text] of Object.entries({ from, reply_to, to, subject }))
    if ((left -= text.length) < 0) return name;
  for (const [name, text] of Object.entries(headers))
    if ((left -= name.length + text.length) < 0) return `headers.${name.slice(0, MAX_FIELD_NAME)}`;
  return undefined;
}

/** The From address. Its name may vary, the address may not: DKIM key and route hang on it. */
function senderOf(text: string): Result<string, string> {
  const mailboxes = mailboxTemplates(text);
  if (!mailboxes.ok) return mailboxes;
  if (mailboxes.value.length > 1) return err('there is more than one address');
  const address = mailboxes.value[0]!.address;
  return isConstant(address) ? ok(address.texts[0]!) : err('the address may not have variables');
}

function headerSteps(parts: ContentParts, options: ComposeOptions): Result<readonly Step[], FieldError> {
  const named: (readonly [string, Result<Step, string>])[] = [
    ['from', addressStep('From', parts.from)],
    ['to', addressStep('To', parts.to ?? '{{recipient}}')],
  ];
  if (parts.reply_to !== undefined) named.push(['reply_to', addressStep('Reply-To', parts.reply_to)]);
  named.push(['subject', fieldStep('Subject', parts.subject)]);
  named.push(['date', ok(fixed(`Date: ${formatDate(options.now)}\r\n`))]);
  named.push(['message_id', ok({ kind: 'message_id' })]);
  for (const [name, value] of Object.entries(parts.headers ?? {}))
    named.push([`headers.${name}`, customField(name, value)]);
  const steps: Step[] = [];
  for (const [field, step] of named) {
    if (!step.ok) return failed(field, step.error);
    steps.push(step.value);
  }
  return ok(steps);
}

function customField(name: string, value: string): Result<Step, string> {
  const lower = name.toLowerCase();
  if (!/^[!-9;-~]+$/.test(name) || name.length > MAX_FIELD_NAME)
    return err('this is not a header field name');
  if (RESERVED.has(lower) || lower.startsWith('content-') || lower.startsWith('x-postrider-'))
    return err('this header field can not be set here');
  return ADDRESS_FIELDS.has(lower) ? addressStep(name, value) : fieldStep(name, value);
}

function bodyTree(parts: ContentParts, unique: string): Result<MimeNode, FieldError> {
  const { text, html } = parts;
  if (text === undefined && html === undefined)
    return failed(
      'html',
      parts.amp === undefined ? 'html or text is needed' : 'html or text is needed beside amp',
    );
  const plain = text === undefined ? undefined : textPart(text, 'none');
  if (plain !== undefined && !plain.ok) return failed('text', describe(plain.error));
  const markup = html === undefined ? undefined : textPart(html, 'html');
  if (markup !== undefined && !markup.ok) return failed('html', describe(markup.error));
  const amp = parts.amp === undefined ? undefined : textPart(parts.amp, 'html');
  if (amp !== undefined && !amp.ok) return failed('amp', describe(amp.error));
  const files = filesOf(parts.attachments ?? []);
  if (!files.ok) return files;
  return ok(
    messageTree(
      {
        text: plain && textNode(plain.value, 'plain'),
        amp: amp && textNode(amp.value, 'x-amp-html'),
        html: markup && textNode(markup.value, 'html'),
      },
      files.value,
      unique,
    ),
  );
}

function filesOf(attachments: readonly Attachment[]): Result<readonly FilePart[], FieldError> {
  const files: FilePart[] = [];
  for (const [i, attachment] of attachments.entries()) {
    const wrong = checkAttachment(attachment);
    if (wrong !== undefined) return failed(`attachments[${i}].${wrong.field}`, wrong.message);
    files.push({
      filename: attachment.filename,
      contentType: attachment.content_type,
      bytes: Buffer.from(attachment.content, 'base64'),
      cid: attachment.cid,
    });
  }
  return ok(files);
}

function checkAttachment(attachment: Attachment): FieldError | undefined {
  const { filename, content_type, content, cid } = attachment;
  if (filename === '' || filename.length > MAX_FILENAME || /[\x00-\x1f\x7f]/.test(filename))
    return { field: 'filename', message: `a name of 1 to ${MAX_FILENAME} characters is needed` };
  if (!/^[\w!#$&^.+-]{1,60}\/[\w!#$&^.+-]{1,60}(?:; ?[\w-]{1,40}=[\w"./:+-]{1,80}){0,4}$/.test(content_type))
    return { field: 'content_type', message: 'type/subtype is needed' };
  if (/^(?:multipart|message)\//i.test(content_type))
    return { field: 'content_type', message: 'multipart and message can not be base64 (RFC 2045 §6.4)' };
  if (!isBase64(content)) return { field: 'content', message: 'this is not base64' };
  if (cid !== undefined && !/^[\w!#$%&'*+/=?^`{|}~.@-]{1,200}$/.test(cid))
    return { field: 'cid', message: 'letters, digits and .@- are allowed' };
  return undefined;
}

/** A loop: a regular expression over tens of megabytes can run out of its stack. Line ends are allowed. */
function isBase64(text: string): boolean {
  let padding = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13) continue;
    if (code === 61) padding++;
    else if (padding > 0 || !isBase64Digit(code)) return false;
  }
  return padding <= 2;
}

const isBase64Digit = (code: number): boolean =>
  (code >= 97 && code <= 122) ||
  (code >= 65 && code <= 90) ||
  (code >= 48 && code <= 57) ||
  code === 43 ||
  code === 47;
