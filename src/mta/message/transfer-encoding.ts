/**
 * Content-Transfer-Encoding (RFC 2045 §6): quoted-printable and base64 in lines of at most 76 characters. Byte loops
 * into one buffer; input has CRLF line ends.
 */
const LF = 10;
const CR = 13;
const TAB = 9;
const SP = 32;
const DASH = 45;
const EQUALS = 61;
const TILDE = 126;
const HEX = Buffer.from('0123456789ABCDEF');
/** RFC 2045 §6.7 (5): 76 with the `=` of a soft line break. */
const QP_COLUMNS = 75;
const BASE64_COLUMNS = 76;

/**
 * Quoted-printable of text: CRLF stays a line break, a blank before one or at the end is encoded. So is a dash that
 * begins a line: whatever the text says, no line of it is a boundary of the multipart around it (RFC 2046 §5.1.1).
 */
export function encodeQuotedPrintable(bytes: Buffer): Buffer {
  const encoded = bytes.length * 3;
  const out = Buffer.allocUnsafe(encoded + Math.ceil(encoded / (QP_COLUMNS - 2)) * 3);
  let to = 0;
  let column = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === CR && bytes[at + 1] === LF) {
      out[to++] = CR;
      out[to++] = LF;
      column = 0;
      at++;
      continue;
    }
    const literal =
      byte > SP
        ? byte <= TILDE && byte !== EQUALS && !(byte === DASH && beginsLine(column))
        : (byte === SP || byte === TAB) && !endsLine(bytes, at + 1);
    const width = literal ? 1 : 3;
    if (column + width > QP_COLUMNS) {
      out[to++] = EQUALS;
      out[to++] = CR;
      out[to++] = LF;
      column = 0;
    }
    if (literal) out[to++] = byte;
    else {
      out[to++] = EQUALS;
      out[to++] = HEX[byte >> 4]!;
      out[to++] = HEX[byte & 15]!;
    }
    column += width;
  }
  // A copy when much was left over: the result may live as long as its campaign.
  return to * 2 < out.length ? Buffer.from(out.subarray(0, to)) : out.subarray(0, to);
}

const beginsLine = (column: number): boolean => column === 0 || column === QP_COLUMNS;

const endsLine = (bytes: Buffer, at: number): boolean =>
  at >= bytes.length || (bytes[at] === CR && bytes[at + 1] === LF);

/** Length of the quoted-printable form without its soft line breaks. */
export function quotedPrintableLength(bytes: Buffer): number {
  let length = bytes.length;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte > TILDE || byte === EQUALS) length += 2;
  }
  return length;
}

/** RFC 2045 §6.7, tolerant: what is no valid escape stays as it is, blanks before a line end are dropped (rule 3). */
export function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  let to = 0;
  let kept = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === EQUALS) {
      const softEnd = softBreakEnd(bytes, at + 1);
      const high = hexDigit(bytes[at + 1]);
      const low = hexDigit(bytes[at + 2]);
      if (softEnd !== -1) at = softEnd - 1;
      else if (high !== -1 && low !== -1) {
        out[to++] = high * 16 + low;
        at += 2;
      } else out[to++] = byte;
      kept = to;
    } else {
      if (byte === CR || byte === LF) to = kept;
      out[to++] = byte;
      if (byte !== SP && byte !== TAB) kept = to;
    }
  }
  return out.subarray(0, to);
}

/** Position after a soft line break whose `=` is before `from`, or -1. */
function softBreakEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === SP || bytes[at] === TAB) at++;
  if (at >= bytes.length) return at;
  if (bytes[at] === CR && bytes[at + 1] === LF) return at + 2;
  return bytes[at] === LF ? at + 1 : -1;
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 48 && byte <= 57) return byte - 48;
  const upper = byte & 0xdf;
  return upper >= 65 && upper <= 70 ? upper - 55 : -1;
}

/** Base64 in lines of 76 characters, each with CRLF (RFC 2045 §6.8). */
export function encodeBase64Lines(bytes: Buffer): Buffer {
  const text = bytes.toString('base64');
  const lines = Math.ceil(text.length / BASE64_COLUMNS);
  const out = Buffer.allocUnsafe(text.length + lines * 2);
  const flat = Buffer.from(text, 'latin1');
  let to = 0;
  for (let from = 0; from < flat.length; from += BASE64_COLUMNS) {
    to += flat.copy(out, to, from, Math.min(from + BASE64_COLUMNS, flat.length));
    out[to++] = CR;
    out[to++] = LF;
  }
  return out;
}
