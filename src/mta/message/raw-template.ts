/**
 * A raw RFC 5322 text with `{{name}}` in it as a campaign's content. Variables may stand in unstructured and address
 * fields of the message and in its text parts; such parts are decoded, compiled and encoded anew, because a value may
 * need another encoding. Fields beyond ASCII are encoded, everything else stays byte for byte. Values are escaped for
 * html in text/html and text/x-amp-html parts.
 *
 * Refused: variables in the From address, in structural fields, in texts that are not UTF-8; bytes beyond ASCII where
 * a field has no form for them; more parts and variables than memory should hold.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { err, formatAddress, ok, parseAddress, type Result } from '../../core/index.ts';
import { campaignContent, type CampaignContent, type Step } from './campaign.ts';
import type { ComposeOptions } from './compose.ts';
import { decodeEncodedWords } from './encoded-word.ts';
import { parametersText, withAsciiFields } from './content-field.ts';
import { addressStep, fieldStep, type FieldError } from './field-template.ts';
import { headerChunks } from './header-edit.ts';
import { formatAddressField, formatField } from './header-text.ts';
import {
  fieldValue,
  MAX_HEADER_BYTES,
  scanHeader,
  scanPart,
  type HeaderField,
  type HeaderScan,
} from './header.ts';
import { parseMailboxes, type Mailbox } from './mailbox.ts';
import {
  contentTypeOf,
  MAX_MIME_DEPTH,
  MAX_MIME_PARTS,
  type MimePlace,
  splitMultipart,
  transferEncodingOf,
  type ContentType,
} from './mime.ts';
import { prepareContent } from './prepare.ts';
import { isStructured, structuredStep } from './structured-field.ts';
import { describe } from './template.ts';
import { fixed, lineEnd, textPart } from './text-part.ts';
import { decodeQuotedPrintable } from './transfer-encoding.ts';

const ADDRESS_FIELDS = new Set(['from', 'to', 'cc', 'sender', 'reply-to', 'disposition-notification-to']);
/** Types whose values are escaped. */
const MARKUP = new Set(['text/html', 'text/x-amp-html']);
const OPEN = '{{';
const MAX_GAPS = 20_000;

/** Bytes of a header or body that may have become steps. */
interface Compiled {
  readonly header: readonly Step[];
  readonly body: readonly Step[];
}

interface Place extends MimePlace {
  readonly left: { parts: number; gaps: number };
}

export function compileRaw(content: Buffer, options: ComposeOptions): Result<CampaignContent, FieldError> {
  const prepared = prepareContent(content, { ...options, messageIdText: '-', received: undefined });
  if (!prepared.ok) return failed('content', prepared.error.text);
  const { content: bytes, fromAddress, fromDomain } = prepared.value;
  if (fromAddress.includes(OPEN)) return failed('content', 'From: the address may not have variables');
  const scan = scanHeader(bytes);
  const left = { parts: MAX_MIME_PARTS, gaps: MAX_GAPS };
  const compiled = compileEntity(bytes, scan, { depth: 0, left });
  if (!compiled.ok) return failed('content', compiled.error);
  const fields = fieldSteps(bytes, scan, compiled.value.header);
  if (!fields.ok) return failed('content', fields.error);
  const origin = { fromAddress, fromDomain, messageIdHost: options.hostname };
  return ok(campaignContent(origin, fields.value, compiled.value.body));
}

const failed = (field: string, message: string): Result<never, FieldError> => err({ field, message });
const isContentField = (name: string): boolean => name.startsWith('content-');
const raw = (bytes: Buffer): Step => ({ kind: 'bytes', bytes });

/** The header of the message: fields in their order, then To and Message-ID, then the content fields. */
function fieldSteps(
  bytes: Buffer,
  scan: HeaderScan,
  contentFields: readonly Step[],
): Result<readonly Step[], string> {
  const steps: Step[] = [];
  for (const field of scan.fields) {
    // Each recipient has its own Message-ID; one for all would make receivers drop the "duplicates".
    if (isContentField(field.name) || field.name === 'message-id') continue;
    const step = messageField(bytes, field);
    if (!step.ok) return step;
    steps.push(step.value);
  }
  if (!scan.fields.some((field) => field.name === 'to')) {
    const to = addressStep('To', '{{recipient}}');
    if (!to.ok) return to;
    steps.push(to.value);
  }
  steps.push({ kind: 'message_id' }, ...contentFields);
  return ok(steps);
}

function messageField(bytes: Buffer, field: HeaderField): Result<Step, string> {
  const value = fieldValue(bytes, field);
  const text = decodeEncodedWords(value);
  const name = bytes.toString('latin1', field.start, field.start + field.name.length);
  if (!text.includes(OPEN)) {
    const whole = bytes.subarray(field.start, field.end);
    if (isAscii(whole)) return ok(raw(whole));
    const encoded = asciiField(name, value);
    return encoded.ok ? encoded : err(`${name}: ${encoded.error}`);
  }
  // A special character that decoding lays bare in an unquoted name makes the field invalid, so it is refused.
  const step = ADDRESS_FIELDS.has(field.name)
    ? addressStep(name, text)
    : fieldStep(name, isStructured(field.name) ? value : text);
  return step.ok ? step : err(`${name}: ${step.error}`);
}

/**
 * A field with bytes above 127 in encoded words and A-labels, so that the mail needs no SMTPUTF8 (RFC 6531 §3.2): most
 * receivers have it, but not all. A local part stays as it is. The error says why the field can not be encoded.
 */
function asciiField(name: string, value: string): Result<Step, string> {
  const lower = name.toLowerCase();
  if (isStructured(lower)) return structuredStep(name, value);
  if (!ADDRESS_FIELDS.has(lower)) return ok(fixed(formatField(name, decodeEncodedWords(value))));
  const parsed = parseMailboxes(value);
  if (!parsed.ok) return parsed;
  const mailboxes: Mailbox[] = [];
  for (const mailbox of parsed.value) {
    const address = parseAddress(mailbox.address);
    if (!address.ok) return address;
    mailboxes.push({ name: decodeEncodedWords(mailbox.name), address: formatAddress(address.value) });
  }
  return ok(fixed(formatAddressField(name, mailboxes)));
}

/** Content fields with the blank line, and the body, of a message or part. */
function compileEntity(bytes: Buffer, scan: HeaderScan, place: Place): Result<Compiled, string> {
  const { depth, left } = place;
  if (depth > MAX_MIME_DEPTH) return err(`parts are nested deeper than ${MAX_MIME_DEPTH} levels`);
  const isMessage = depth === 0;
  const ascii = withAsciiFields(bytes, scan, (field) => !isMessage || isContentField(field));
  if (!ascii.ok) return ascii;
  if (ascii.value !== bytes) return compileEntity(ascii.value, scanHeader(ascii.value), place);
  const contentFields = scan.fields.filter((field) => !isMessage || isContentField(field.name));
  for (const field of contentFields)
    if (bytes.subarray(field.start, field.end).includes(OPEN))
      return err(`${field.name} may not have variables`);
  const type = contentTypeOf(bytes, scan);
  const name = type?.type ?? 'text/plain';
  const body = bytes.subarray(scan.bodyStart);
  const header = keptHeader(bytes, scan, isMessage ? (field) => !isContentField(field) : () => false);
  const boundary = type?.parameters.get('boundary');
  // Its parts are signed as they are (RFC 1847 §2.1).
  if (name === 'multipart/signed' && !body.includes(OPEN)) return ok({ header, body: [raw(body)] });
  if (name.startsWith('multipart/') && boundary !== undefined) {
    const steps = compileMultipart(body, boundary, { depth: depth + 1, left });
    return steps.ok ? ok({ header, body: steps.value }) : steps;
  }
  if (!name.startsWith('text/') || !scan.blankLine) return ok({ header, body: [raw(body)] });
  return compileText(bytes, scan, { type, isMessage, left, unchanged: { header, body: [raw(body)] } });
}

/** Kept fields with the blank line. */
function keptHeader(bytes: Buffer, scan: HeaderScan, drop: (name: string) => boolean): readonly Step[] {
  return headerChunks(bytes, scan, { drop }).map(raw);
}

function compileMultipart(body: Buffer, boundary: string, place: Place): Result<readonly Step[], string> {
  const steps: Step[] = [];
  let from = 0;
  const parts = splitMultipart(body, boundary, place);
  if (!parts) return err(`there are more than ${MAX_MIME_PARTS} parts`);
  for (const part of parts) {
    const bytes = body.subarray(part.start, part.end);
    const scan = scanPart(bytes);
    if (!scan) return err(`the header of a part is larger than ${MAX_HEADER_BYTES} bytes`);
    const compiled = compileEntity(bytes, scan, place);
    if (!compiled.ok) return compiled;
    steps.push(raw(body.subarray(from, part.start)), ...compiled.value.header, ...compiled.value.body);
    from = part.end;
  }
  steps.push(raw(body.subarray(from)));
  return ok(steps);
}

interface TextContext {
  readonly type: ContentType | undefined;
  readonly isMessage: boolean;
  readonly left: Place['left'];
  readonly unchanged: Compiled;
}

function compileText(bytes: Buffer, scan: HeaderScan, context: TextContext): Result<Compiled, string> {
  const { type, isMessage, left, unchanged } = context;
  const text = decodeBody(bytes.subarray(scan.bodyStart), transferEncodingOf(bytes, scan));
  if (text?.includes(OPEN) !== true) return ok(unchanged);
  const charset = type?.parameters.get('charset')?.toLowerCase() ?? 'us-ascii';
  if ((charset !== 'utf-8' && charset !== 'us-ascii') || !isUtf8(text))
    return err('a text part with variables must be in UTF-8');
  const subtype = type?.type ?? 'text/plain';
  const part = textPart(text.toString(), MARKUP.has(subtype) ? 'html' : 'none');
  if (!part.ok) return err(`a ${subtype} part, ${describe(part.error)}`);
  if ((left.gaps -= gapsOf(part.value.body)) < 0) return err(`there are more than ${MAX_GAPS} variables`);
  const drop = (name: string): boolean =>
    name === 'content-type' || name === 'content-transfer-encoding' || (isMessage && !isContentField(name));
  const kept = headerChunks(bytes, scan, { drop });
  const header = [
    ...(isMessage && !scan.fields.some((field) => field.name === 'mime-version') ? [MIME_VERSION] : []),
    fixed(`Content-Type: ${subtype}; charset=utf-8${otherParameters(type)}\r\n`),
    fixed(`Content-Transfer-Encoding: ${part.value.encoding}\r\n`),
    ...kept.slice(0, -1).map(raw),
    lineEnd,
  ];
  return ok({ header, body: part.value.body });
}

/** What a type says besides its charset: without `method` an invitation is no invitation (RFC 5546 §3.2). */
const otherParameters = (type: ContentType | undefined): string =>
  parametersText(new Map([...(type?.parameters ?? [])].filter(([name]) => name !== 'charset')));

const gapsOf = (steps: readonly Step[]): number =>
  steps.reduce((sum, step) => sum + ('names' in step ? step.names.length : 0), 0);

const MIME_VERSION = fixed('MIME-Version: 1.0\r\n');

function decodeBody(body: Buffer, encoding: string): Buffer | undefined {
  if (encoding === 'quoted-printable') return decodeQuotedPrintable(body);
  if (encoding === 'base64') return Buffer.from(body.toString('latin1'), 'base64');
  return encoding === '7bit' || encoding === '8bit' || encoding === 'binary' ? body : undefined;
}
