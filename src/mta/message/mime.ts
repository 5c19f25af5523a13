/**
 * Just enough MIME (RFC 2045, 2046) to find the leaf parts of a content and where their bytes are. Reads structure,
 * never decodes. Linear in the input for each level; callers bound the depth.
 */
import { fieldValue, firstField, type HeaderScan } from './header.ts';

/** Values by lower-case name; quoted strings unquoted. */
export type Parameters = ReadonlyMap<string, string>;

export interface ContentType {
  /** Lower-case `type/subtype`. */
  readonly type: string;
  readonly parameters: Parameters;
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Nesting beyond this is no mail that anybody composed, nor are so many parts. */
export const MAX_MIME_DEPTH = 16;
export const MAX_MIME_PARTS = 10_000;

/** Where an entity is in a message, and how many more parts may come in all of it. */
export interface MimePlace {
  readonly depth: number;
  readonly left: { parts: number };
}

const LF = 10;
const CR = 13;
const SP = 32;
const TAB = 9;
const DASH = 45;

/** The Content-Type field, or undefined when it is missing or has no `type/subtype` (RFC 2045 §5.2: use the default). */
export function contentTypeOf(content: Buffer, scan: HeaderScan): ContentType | undefined {
  const field = firstField(scan, 'content-type');
  if (field === undefined) return undefined;
  const { value, parameters } = parameterised(fieldValue(content, field));
  const type = value.toLowerCase();
  return /^[!-.0-~]+\/[!-.0-~]+$/.test(type) ? { type, parameters } : undefined;
}

/** The value in front of the parameters, and these. */
export function parameterised(text: string): { readonly value: string; readonly parameters: Parameters } {
  const pieces = splitParameters(text);
  const parameters = new Map<string, string>();
  for (const piece of pieces.slice(1)) {
    const equals = piece.indexOf('=');
    const name = piece.slice(0, Math.max(equals, 0)).trim().toLowerCase();
    if (name !== '' && !parameters.has(name)) parameters.set(name, unquote(piece.slice(equals + 1).trim()));
  }
  return { value: pieces[0]!.trim(), parameters };
}

/** Lower-case Content-Transfer-Encoding; `7bit` when there is none (RFC 2045 §6.1). */
export function transferEncodingOf(content: Buffer, scan: HeaderScan): string {
  const field = firstField(scan, 'content-transfer-encoding');
  return field === undefined ? '7bit' : fieldValue(content, field).toLowerCase();
}

/** Pieces between semicolons outside of quoted strings, comments taken out (RFC 2045 §5.1). */
function splitParameters(value: string): readonly string[] {
  const pieces: string[] = [];
  let piece = '';
  let quoted = false;
  let depth = 0;
  for (let at = 0; at < value.length; at++) {
    const c = value[at]!;
    const escaped = c === '\\' && (quoted || depth > 0) ? (value[++at] ?? '') : '';
    if (depth > 0) depth += escaped !== '' ? 0 : c === '(' ? 1 : c === ')' ? -1 : 0;
    else if (!quoted && c === '(') depth++;
    else if (!quoted && c === ';') {
      pieces.push(piece);
      piece = '';
    } else {
      if (c === '"') quoted = !quoted;
      piece += c + escaped;
    }
  }
  pieces.push(piece);
  return pieces;
}

const unquote = (text: string): string =>
  text.startsWith('"')
    ? text.slice(1, text.endsWith('"') ? -1 : undefined).replaceAll(/\\(.)/gs, '$1')
    : text;

/**
 * The parts of a multipart body, in order, without their delimiter lines (RFC 2046 §5.1.1). The line end before a
 * delimiter belongs to it. A missing last delimiter ends the last part at the end of the body. Undefined when there are
 * more than may come.
 */
export function splitMultipart(
  body: Buffer,
  boundary: string,
  { left }: Pick<MimePlace, 'left'>,
): readonly Span[] | undefined {
  const parts = allParts(body, boundary, left.parts);
  left.parts -= parts.length;
  return left.parts < 0 ? undefined : parts;
}

/** Or one more than `most`. */
function allParts(body: Buffer, boundary: string, most: number): readonly Span[] {
  const parts: Span[] = [];
  const marker = Buffer.from(`--${boundary}`);
  let start = -1;
  for (let at = body.indexOf(marker); at !== -1; at = body.indexOf(marker, at + marker.length)) {
    if (at > 0 && body[at - 1] !== LF) continue;
    const closing = body[at + marker.length] === DASH && body[at + marker.length + 1] === DASH;
    const lineEnd = delimiterEnd(body, at + marker.length + (closing ? 2 : 0));
    if (lineEnd === -1) continue;
    if (start !== -1) parts.push({ start, end: Math.max(start, beforeLineEnd(body, at)) });
    start = closing ? -1 : lineEnd;
    if (closing || parts.length > most) return parts;
  }
  if (start !== -1) parts.push({ start, end: body.length });
  return parts;
}

/** Position after the rest of a delimiter line, or -1 when more than blanks follow, so it is another boundary. */
function delimiterEnd(body: Buffer, from: number): number {
  let at = from;
  while (body[at] === SP || body[at] === TAB) at++;
  if (at >= body.length) return at;
  if (body[at] === CR && body[at + 1] === LF) return at + 2;
  return body[at] === LF ? at + 1 : -1;
}

function beforeLineEnd(body: Buffer, at: number): number {
  if (at > 0 && body[at - 1] === LF) return at > 1 && body[at - 2] === CR ? at - 2 : at - 1;
  return at;
}
