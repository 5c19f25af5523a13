/**
 * Reply parser (RFC 5321 §4.2): bytes in, replies out. Lines are found with Buffer.indexOf and judged by their
 * bytes; a string is made once per line. A reply is bounded in lines and bytes, so a peer cannot make us keep more
 * than 64 KB. Whatever is not a reply is a fault, a fault is final: the rest of the stream means nothing any more.
 */
import { splitEnhanced, type Reply } from '../../../core/index.ts';

/** One complete reply: the text of each line without the code, control characters replaced. */
export interface ParsedReply {
  readonly code: number;
  readonly lines: readonly string[];
}

/** Kept of a line; the limit of RFC 5321 §4.5.3.1.5 is 512, some peers write essays. */
export const MAX_LINE_BYTES = 4096;
export const MAX_REPLY_LINES = 100;
export const MAX_REPLY_BYTES = 64 * 1024;
/** Characters of a reply's text that are kept for events and reports. */
export const MAX_TEXT_LENGTH = 1024;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const HYPHEN = 0x2d;
const DELETE = 0x7f;

export class ReplyParser {
  /** The start of a line whose end has not come yet; memory is held only while a line is split over chunks. */
  #partial: Buffer | undefined;
  #partialLength = 0;
  #code = 0;
  #lines: string[] = [];
  #replyBytes = 0;
  #fault: string | undefined;

  /** True between replies: no byte of a further one has been read. */
  get idle(): boolean {
    return this.#replyBytes === 0;
  }

  /** Takes a chunk (of which it keeps no reference), appends complete replies to `into`, returns the fault if any. */
  push(chunk: Buffer, into: ParsedReply[]): string | undefined {
    let start = 0;
    while (start < chunk.length && this.#fault === undefined) {
      const lineFeed = chunk.indexOf(LF, start);
      const end = lineFeed === -1 ? chunk.length : lineFeed;
      this.#replyBytes += end - start + (lineFeed === -1 ? 0 : 1);
      if (this.#replyBytes > MAX_REPLY_BYTES) this.#fault = 'a reply of more than 64 KB';
      else if (lineFeed === -1) this.#keep(chunk, start, end);
      else if (this.#partial === undefined) this.#endLine(chunk, start, end, into);
      else this.#endPartial(chunk, start, end, into);
      start = end + 1;
    }
    return this.#fault;
  }

  #keep(chunk: Buffer, start: number, end: number): void {
    this.#partial ??= Buffer.allocUnsafe(MAX_LINE_BYTES);
    // Copies no more than fits: the rest of an overlong line is dropped here.
    this.#partialLength += chunk.copy(this.#partial, this.#partialLength, start, end);
  }

  #endPartial(chunk: Buffer, start: number, end: number, into: ParsedReply[]): void {
    this.#keep(chunk, start, end);
    const line = this.#partial!;
    const length = this.#partialLength;
    this.#partial = undefined;
    this.#partialLength = 0;
    this.#endLine(line, 0, length, into);
  }

  #endLine(bytes: Buffer, start: number, lineEnd: number, into: ParsedReply[]): void {
    let end = Math.min(lineEnd, start + MAX_LINE_BYTES);
    // INTEROP(old gateways): a bare LF ends a line as well.
    if (end > start && bytes[end - 1] === CR) end--;
    const code = codeAt(bytes, start, end);
    if (code === 0) return this.#fail('a line that is not a reply');
    const separator = end - start > 3 ? bytes[start + 3] : SPACE; // INTEROP: `250` without a text
    if (separator !== SPACE && separator !== HYPHEN) return this.#fail('a reply code without a separator');
    if (this.#lines.length > 0 && code !== this.#code) return this.#fail('a reply of different codes');
    if (this.#lines.length === MAX_REPLY_LINES) return this.#fail('a reply of more than 100 lines');
    this.#code = code;
    this.#lines.push(lineText(bytes, Math.min(start + 4, end), end));
    if (separator === SPACE) this.#endReply(into);
  }

  #endReply(into: ParsedReply[]): void {
    into.push({ code: this.#code, lines: this.#lines });
    this.#lines = [];
    this.#replyBytes = 0;
  }

  #fail(fault: string): void {
    this.#fault = fault;
  }
}

/** 200 to 599, or 0 when there is no reply code (RFC 5321 §4.2 knows no 1yz). */
function codeAt(bytes: Buffer, start: number, end: number): number {
  if (end - start < 3) return 0;
  const hundreds = bytes[start]! - 0x30;
  const tens = bytes[start + 1]! - 0x30;
  const ones = bytes[start + 2]! - 0x30;
  if (hundreds < 2 || hundreds > 5 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return 0;
  return hundreds * 100 + tens * 10 + ones;
}

function lineText(bytes: Buffer, start: number, end: number): string {
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte < SPACE || byte >= DELETE) return printable(bytes.toString('utf8', start, end));
  }
  return bytes.toString('latin1', start, end);
}

/** Replies end up in logs, terminals and reports: no control, no line separator, no direction override survives. */
function printable(text: string): string {
  let clean = '';
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x09) clean += ' ';
    else clean += isControl(unit) ? '?' : text[i]!;
  }
  return clean;
}

function isControl(unit: number): boolean {
  if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) return true;
  return (
    unit === 0x2028 ||
    unit === 0x2029 ||
    (unit >= 0x202a && unit <= 0x202e) ||
    (unit >= 0x2066 && unit <= 0x2069)
  );
}

/** The reply as the rest of the program knows it: lines joined, enhanced code split off, text bounded. */
export function toReply(parsed: ParsedReply): Reply {
  const { enhanced, text: first } = splitEnhanced(parsed.lines[0] ?? '');
  let text = first;
  for (let i = 1; i < parsed.lines.length && text.length < MAX_TEXT_LENGTH; i++) {
    const line = withoutCode(parsed.lines[i]!, enhanced);
    text += text === '' || line === '' ? line : ` ${line}`;
  }
  return { code: parsed.code, enhanced, text: cut(text) };
}

/** RFC 2034 §4 repeats the enhanced code in each line of a reply; once is enough for people and patterns. */
function withoutCode(line: string, enhanced: string | undefined): string {
  if (enhanced === undefined || !line.startsWith(enhanced)) return line;
  if (line.length === enhanced.length) return '';
  return line.charCodeAt(enhanced.length) === SPACE ? line.slice(enhanced.length + 1) : line;
}

function cut(text: string): string {
  if (text.length <= MAX_TEXT_LENGTH) return text;
  const last = text.charCodeAt(MAX_TEXT_LENGTH - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? MAX_TEXT_LENGTH - 1 : MAX_TEXT_LENGTH);
}
