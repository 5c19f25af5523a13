/**
 * The header of a message as byte positions (RFC 5322 §2.2). One pass, no copies except the field names, so scanning
 * a 10 KB message costs the same as scanning its header. Lines may end in CRLF or a bare LF.
 *
 * Never throws: what is not a header is described (`malformed`, `blankLine`), and the caller decides what it means.
 */
import { isUtf8 } from 'node:buffer';

export interface HeaderField {
  /** Lower case, without the white space that RFC 5322 §4.5.3 allows before the colon. */
  readonly name: string;
  /** First byte of the name. */
  readonly start: number;
  /** First byte after the colon. */
  readonly valueStart: number;
  /** First byte after the line end of the field's last line. */
  readonly end: number;
}

export interface HeaderScan {
  readonly fields: readonly HeaderField[];
  /** First byte after the blank line; the length of the content when there is no blank line. */
  readonly bodyStart: number;
  /** First byte of the blank line, equal to `bodyStart` when there is none. */
  readonly headerEnd: number;
  /** False when the content ends before a blank line. */
  readonly blankLine: boolean;
  /** Number (from 1) of the first line that is neither a field nor its continuation. */
  readonly malformed: number | undefined;
}

/** A header of more than that is no mail that anybody composed. */
export const MAX_HEADER_BYTES = 256 * 1024;
const TAB = 9;
const LF = 10;
const CR = 13;
const SP = 32;
const COLON = 58;

const isBlank = (byte: number | undefined): boolean => byte === SP || byte === TAB;

export function scanHeader(content: Buffer): HeaderScan {
  const fields: HeaderField[] = [];
  let malformed: number | undefined;
  let line = 0;
  let at = 0;
  while (at < content.length) {
    if (content[at] === LF) return scanned(fields, at, at + 1, malformed);
    if (content[at] === CR && content[at + 1] === LF) return scanned(fields, at, at + 2, malformed);
    const start = at;
    line++;
    const firstLine = line;
    at = lineEnd(content, at);
    while (isBlank(content[at])) {
      line++;
      at = lineEnd(content, at);
    }
    const field = fieldAt(content, start, at);
    if (field === undefined) malformed ??= firstLine;
    else fields.push(field);
  }
  return { fields, bodyStart: content.length, headerEnd: content.length, blankLine: false, malformed };
}

/** The header of a part or of a message inside of another; undefined when it is larger than a header may be. */
export function scanPart(content: Buffer): HeaderScan | undefined {
  const scan = scanHeader(content.subarray(0, MAX_HEADER_BYTES + 2));
  return scan.headerEnd > MAX_HEADER_BYTES ? undefined : scan;
}

function scanned(
  fields: readonly HeaderField[],
  headerEnd: number,
  bodyStart: number,
  malformed: number | undefined,
): HeaderScan {
  return { fields, headerEnd, bodyStart, blankLine: true, malformed };
}

function lineEnd(content: Buffer, from: number): number {
  const lf = content.indexOf(LF, from);
  return lf === -1 ? content.length : lf + 1;
}

/** The field between two positions, or undefined when it does not begin with a field name and a colon (§2.2). */
function fieldAt(content: Buffer, start: number, end: number): HeaderField | undefined {
  let at = start;
  while (at < end && content[at]! > SP && content[at]! < 127 && content[at] !== COLON) at++;
  const nameEnd = at;
  while (at < end && isBlank(content[at])) at++;
  if (nameEnd === start || at >= end || content[at] !== COLON) return undefined;
  const name = content.toString('latin1', start, nameEnd).toLowerCase();
  return { name, start, valueStart: at + 1, end };
}

/**
 * The value of a field, unfolded (RFC 5322 §2.2.3) and trimmed. Bytes above 127 are UTF-8 (RFC 6532) when the whole
 * value is, else Latin-1, so no byte is lost and nothing throws.
 */
export function fieldValue(content: Buffer, field: HeaderField): string {
  const bytes = content.subarray(field.valueStart, field.end);
  const text = bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  let unfolded = text;
  if (text.indexOf('\n') < text.length - 1) unfolded = text.replaceAll('\r\n', '').replaceAll('\n', '');
  return trimBlanks(unfolded);
}

/** Without SP, HTAB, CR and LF at both ends. `String.trim` would also take no-break spaces, which are text. */
function trimBlanks(text: string): string {
  const isEdge = (code: number): boolean => code === SP || code === TAB || code === CR || code === LF;
  let start = 0;
  let end = text.length;
  while (start < end && isEdge(text.charCodeAt(start))) start++;
  while (end > start && isEdge(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** The first field of that name (lower case). */
export const firstField = (scan: HeaderScan, name: string): HeaderField | undefined =>
  scan.fields.find((field) => field.name === name);
