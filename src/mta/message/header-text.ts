/**
 * Text of header fields on the way out: folding (RFC 5322 §2.2.3), encoded words (RFC 2047), phrases and dates.
 * Whatever text comes in, what goes out is ASCII, has no control character but the CRLF of folding, and no line of
 * only white space, so no value can begin a new field.
 */

/** Lines are folded before this column where a blank allows it (RFC 5322 §2.1.1 recommends 78, RFC 2047 says 76). */
const FOLD_AT = 76;
const MAX_ENCODED_WORD = 75;
const MAX_LINE = 998;
/** Characters of `=?utf-8?Q?` and `?=`. */
const WORD_FRAME = 12;
const SP = 32;

/** Each byte in the Q encoding, with the set that is allowed in a phrase too (RFC 2047 §4.2, §5 (3)). */
const QUOTED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const c = String.fromCharCode(byte);
  if (/^[A-Za-z0-9!*+/-]$/.test(c)) return c;
  return c === ' ' ? '_' : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
});

let lastDate = { second: NaN, text: '' };

/** RFC 5322 §3.3, always in UTC. Many messages have the second of the one before. */
export function formatDate(timeMs: number): string {
  const second = Math.floor(timeMs / 1000);
  if (second !== lastDate.second)
    lastDate = { second, text: new Date(timeMs).toUTCString().replace('GMT', '+0000') };
  return lastDate.text;
}

/** `Name: text` with CRLF at the end, for unstructured fields. */
export function formatField(name: string, text: string): string {
  const clean = stripControls(text);
  if (isPlain(clean)) {
    const line = `${name}: ${clean}`;
    if (line.length <= FOLD_AT) return `${line}\r\n`;
    const folded = fold(line);
    if (folded !== undefined) return `${folded}\r\n`;
  }
  return `${name}: ${encodeWords(clean, name.length + 2)}\r\n`;
}

/** `Name: text` with CRLF at the end, for fields with a syntax of their own: folded at blanks, nothing is encoded. */
export function formatStructured(name: string, text: string): string {
  const line = `${name}: ${stripControls(text)}`;
  return `${line.length <= FOLD_AT ? line : (fold(line) ?? line)}\r\n`;
}

/** `Name: mailbox, mailbox` with CRLF at the end. Addresses must be valid; names may be any text. */
export function formatAddressField(
  name: string,
  mailboxes: readonly { readonly name: string; readonly address: string }[],
): string {
  let line = `${name}:`;
  let field = '';
  for (const [i, mailbox] of mailboxes.entries()) {
    const phrase = formatPhrase(stripControls(mailbox.name), name.length + 2);
    const comma = i < mailboxes.length - 1 ? ',' : '';
    const words =
      phrase === '' ? [mailbox.address + comma] : [...phrase.split('\r\n '), `<${mailbox.address}>${comma}`];
    for (const word of words) {
      const fits = line.length + 1 + word.length <= FOLD_AT;
      if (!fits) field += `${line}\r\n`;
      line = fits ? `${line} ${word}` : ` ${word}`;
    }
  }
  return `${field}${line}\r\n`;
}

/** A display name as RFC 5322 §3.2.5 wants it: atoms, a quoted string, or encoded words. */
function formatPhrase(text: string, column: number): string {
  if (text === '') return '';
  if (!isPlain(text) || text.length > FOLD_AT - 2) return encodeWords(text, column);
  if (/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+$/.test(text)) return text;
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** Control characters (line ends among them) become one space; blanks at the ends are dropped. */
export function stripControls(text: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 32 || code === 127) return text.replaceAll(/[\x00-\x1f\x7f]+/g, ' ').trim();
  }
  return text.trim();
}

/** Printable ASCII that nobody could take for an encoded word. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 126) return false;
    if (code === 61 && text.charCodeAt(at + 1) === 63) return false;
  }
  return true;
}

/** Folds before single blanks; undefined when a line would stay longer than RFC 5322 §2.1.1 allows. */
function fold(line: string): string | undefined {
  let folded = '';
  let rest = line;
  const nameEnd = line.indexOf(':') + 2;
  while (rest.length > FOLD_AT) {
    // Not right after the field name: the first line would have no text.
    const from = folded === '' ? nameEnd : 1;
    const at = foldPoint(rest, from);
    if (at === -1) break;
    folded += `${rest.slice(0, at)}\r\n`;
    rest = rest.slice(at);
    if (at > MAX_LINE) return undefined;
  }
  return rest.length > MAX_LINE ? undefined : folded + rest;
}

/** The last blank before the fold column that follows text, else the first one after it, else -1. */
function foldPoint(line: string, from: number): number {
  for (let at = FOLD_AT; at > from; at--) if (isFoldPoint(line, at)) return at;
  for (let at = Math.max(from, FOLD_AT) + 1; at < line.length; at++) if (isFoldPoint(line, at)) return at;
  return -1;
}

/** Only the first blank of a run: a fold inside one could leave a line of white space only. */
const isFoldPoint = (line: string, at: number): boolean =>
  line.charCodeAt(at) === SP && line.charCodeAt(at - 1) !== SP;

/** UTF-8 encoded words of at most 75 characters, split between characters, folded (RFC 2047 §2, §5). */
function encodeWords(text: string, column: number): string {
  const bytes = Buffer.from(text);
  const quoted = quotedWidth(bytes, 0, bytes.length) <= Math.ceil(bytes.length / 3) * 4;
  let words = '';
  let room = Math.max(32, MAX_ENCODED_WORD - column) - WORD_FRAME;
  let start = 0;
  let used = 0;
  for (let at = 0; at < bytes.length;) {
    const next = characterEnd(bytes, at);
    const width = quoted ? quotedWidth(bytes, at, next) : next - at;
    if (used + width > (quoted ? room : Math.floor(room / 4) * 3)) {
      words += `${encodeWord(bytes.subarray(start, at), quoted)}\r\n `;
      room = MAX_ENCODED_WORD - WORD_FRAME;
      start = at;
      used = 0;
    }
    used += width;
    at = next;
  }
  return words + encodeWord(bytes.subarray(start), quoted);
}

function characterEnd(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (at < bytes.length && (bytes[at]! & 0xc0) === 0x80) at++;
  return at;
}

function encodeWord(bytes: Buffer, quoted: boolean): string {
  if (!quoted) return `=?utf-8?B?${bytes.toString('base64')}?=`;
  let text = '';
  for (let at = 0; at < bytes.length; at++) text += QUOTED[bytes[at]!]!;
  return `=?utf-8?Q?${text}?=`;
}

function quotedWidth(bytes: Buffer, start: number, end: number): number {
  let width = 0;
  for (let at = start; at < end; at++) width += QUOTED[bytes[at]!]!.length;
  return width;
}
