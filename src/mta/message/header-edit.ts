/**
 * Changes to a header without touching the bytes that stay: fields are dropped by name, lines are added at the top
 * (trace fields, RFC 5321 §4.4) or at the bottom (everything else). What stays keeps its folding and its order, so a
 * signature that the content already carries survives.
 */
import type { HeaderScan } from './header.ts';

export interface HeaderEdit {
  readonly drop: (name: string) => boolean;
  /** Whole fields with CRLF. */
  readonly top?: string;
  /** Whole fields with CRLF. */
  readonly bottom?: string;
}

const CRLF = Buffer.from('\r\n');
const LF = 10;

/**
 * The new header with its blank line, followed by the body. `room` bytes in front of it, in the same memory, are left
 * to the caller, who so need not copy the message to put something there.
 */
export function editHeader(content: Buffer, scan: HeaderScan, edit: HeaderEdit, room = 0): Buffer {
  const chunks = [...headerChunks(content, scan, edit), content.subarray(scan.bodyStart)];
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, room);
  // Memory of its own: a part of the shared pool would keep its neighbours alive for as long as the message.
  const edited = Buffer.allocUnsafeSlow(bytes);
  let at = room;
  for (const chunk of chunks) at += chunk.copy(edited, at);
  return edited.subarray(room);
}

/**
 * Takes out the white space before a field's colon that RFC 5322 §4.5.3 tolerates but forbids to send; the content
 * itself when there is none. INTEROP(OpenDKIM, dkimpy): both call a message with it malformed.
 */
export function tightenNames(content: Buffer, scan: HeaderScan): Buffer {
  const chunks: Buffer[] = [];
  let from = 0;
  for (const field of scan.fields) {
    const nameEnd = field.start + field.name.length;
    if (nameEnd === field.valueStart - 1) continue;
    chunks.push(content.subarray(from, nameEnd));
    from = field.valueStart - 1;
  }
  return from === 0 ? content : Buffer.concat([...chunks, content.subarray(from)]);
}

/** The new header with its blank line, as few slices as possible. Added text is written as UTF-8. */
export function headerChunks(content: Buffer, scan: HeaderScan, edit: HeaderEdit): Buffer[] {
  const chunks: Buffer[] = [];
  if (edit.top !== undefined && edit.top !== '') chunks.push(Buffer.from(edit.top));
  let from = 0;
  for (const field of scan.fields) {
    if (!edit.drop(field.name)) continue;
    if (field.start > from) chunks.push(content.subarray(from, field.start));
    from = field.end;
  }
  if (scan.headerEnd > from) {
    chunks.push(content.subarray(from, scan.headerEnd));
    // Without a blank line the last field may lack its line end.
    if (content[scan.headerEnd - 1] !== LF) chunks.push(CRLF);
  }
  if (edit.bottom !== undefined && edit.bottom !== '') chunks.push(Buffer.from(edit.bottom));
  chunks.push(CRLF);
  return chunks;
}
