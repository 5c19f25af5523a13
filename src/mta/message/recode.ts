/**
 * Text parts in the transfer encoding that a receiver is known to take best. Only the leaves text/plain, text/html and
 * text/x-amp-html that are shown are touched; attachments, signed parts (RFC 1847 §2.1) and what is malformed stay byte for byte. Must
 * come before signing.
 */
import { isAscii } from 'node:buffer';
import { headerChunks } from './header-edit.ts';
import { fieldValue, firstField, scanHeader, scanPart, type HeaderScan } from './header.ts';
import {
  contentTypeOf,
  MAX_MIME_DEPTH,
  MAX_MIME_PARTS,
  type MimePlace,
  splitMultipart,
  transferEncodingOf,
} from './mime.ts';
import { decodeQuotedPrintable, encodeBase64Lines, encodeQuotedPrintable } from './transfer-encoding.ts';

export type TextEncoding = 'quoted-printable' | 'base64' | '8bit';

/** What text/plain, and text/html with AMP, shall be in; null: as they are. */
export interface TextEncodings {
  readonly text: TextEncoding | null;
  readonly html: TextEncoding | null;
}

const MARKUP = new Set(['text/html', 'text/x-amp-html']);
/** RFC 5321 §4.5.3.1.6, without the line end. */
const MAX_LINE_OCTETS = 998;

export const recode = (content: Buffer, encodings: TextEncodings): Buffer =>
  recodeEntity(content, { encodings, left: { parts: MAX_MIME_PARTS } }, []);

/** In what encodings, and how many more parts may come. */
interface Wish extends Pick<MimePlace, 'left'> {
  readonly encodings: TextEncodings;
}

/** `boundaries` are those of the multiparts around it. */
function recodeEntity(bytes: Buffer, wanted: Wish, boundaries: readonly string[]): Buffer {
  const scan = boundaries.length === 0 ? scanHeader(bytes) : scanPart(bytes);
  if (boundaries.length > MAX_MIME_DEPTH || !scan || scan.malformed !== undefined) return bytes;
  const contentType = contentTypeOf(bytes, scan);
  const type = contentType?.type ?? 'text/plain';
  if (type.startsWith('multipart/') && type !== 'multipart/signed') {
    const boundary = contentType?.parameters.get('boundary') ?? '';
    return boundary === ''
      ? bytes
      : recodeParts({ bytes, scan, boundary }, wanted, [...boundaries, boundary]);
  }
  const { text, html } = wanted.encodings;
  const encoding = type === 'text/plain' ? text : MARKUP.has(type) ? html : null;
  if (encoding === null || isAttachment(bytes, scan)) return bytes;
  return recodeLeaf({ bytes, scan, boundaries }, encoding);
}

interface Multipart {
  readonly bytes: Buffer;
  readonly scan: HeaderScan;
  readonly boundary: string;
}

/** The multipart's own label (7bit or 8bit) follows its parts: dropped, it means 7bit, and 8bit parts bring it back. */
function recodeParts(
  { bytes, scan, boundary }: Multipart,
  wanted: Wish,
  boundaries: readonly string[],
): Buffer {
  const body = bytes.subarray(scan.bodyStart);
  const parts = splitMultipart(body, boundary, wanted);
  if (!parts) return bytes;
  const chunks: Buffer[] = [];
  let from = 0;
  for (const { start, end } of parts) {
    chunks.push(body.subarray(from, start), recodeEntity(body.subarray(start, end), wanted, boundaries));
    from = end;
  }
  chunks.push(body.subarray(from));
  const recoded = Buffer.concat(chunks);
  return relabelled(bytes, scan, isAscii(recoded) ? '7bit' : '8bit', recoded);
}

interface Leaf {
  readonly bytes: Buffer;
  readonly scan: HeaderScan;
  readonly boundaries: readonly string[];
}

function recodeLeaf({ bytes, scan, boundaries }: Leaf, encoding: TextEncoding): Buffer {
  const now = transferEncodingOf(bytes, scan);
  const text = now === encoding ? undefined : decoded(bytes.subarray(scan.bodyStart), now);
  if (text === undefined) return bytes;
  if (encoding === '8bit')
    return mayGoPlain(text, boundaries)
      ? relabelled(bytes, scan, isAscii(text) ? '7bit' : '8bit', text)
      : bytes;
  const body = encoding === 'base64' ? encodeBase64Lines(text) : encodeQuotedPrintable(text);
  return relabelled(bytes, scan, encoding, body);
}

function decoded(body: Buffer, encoding: string): Buffer | undefined {
  if (encoding === '7bit' || encoding === '8bit') return body;
  if (encoding === 'quoted-printable') return decodeQuotedPrintable(body);
  return encoding === 'base64' ? Buffer.from(body.toString('latin1'), 'base64') : undefined;
}

const CR = 13;
const LF = 10;

/**
 * No NUL, no line that is too long, no CR or LF alone (RFC 2045 §2.8), and no boundary of a multipart around it, which
 * an encoding kept from being one (RFC 2046 §5.1.1).
 */
function mayGoPlain(text: Buffer, boundaries: readonly string[]): boolean {
  if (boundaries.some((boundary) => text.includes(`--${boundary}`, 0, 'latin1'))) return false;
  let lineStart = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!;
    if (byte === 0 || (byte === LF && text[at - 1] !== CR) || (byte === CR && text[at + 1] !== LF))
      return false;
    if (byte === LF) lineStart = at + 1;
    else if (byte !== CR && at - lineStart >= MAX_LINE_OCTETS) return false;
  }
  return true;
}

function isAttachment(bytes: Buffer, scan: HeaderScan): boolean {
  const field = firstField(scan, 'content-disposition');
  return field !== undefined && /^attachment\b/i.test(fieldValue(bytes, field));
}

/** A message needs MIME-Version for its label to mean anything; its parts do not (RFC 2045 §4). */
function relabelled(bytes: Buffer, scan: HeaderScan, encoding: string, body: Buffer): Buffer {
  const isMessage = firstField(scan, 'from') !== undefined;
  const version = isMessage && firstField(scan, 'mime-version') === undefined ? 'MIME-Version: 1.0\r\n' : '';
  const label = encoding === '7bit' ? '' : `Content-Transfer-Encoding: ${encoding}\r\n`;
  const edit = { drop: (name: string) => name === 'content-transfer-encoding', bottom: version + label };
  return Buffer.concat([...headerChunks(bytes, scan, edit), body]);
}
