/**
 * The MIME tree of a mail from a stranger (RFC 2045, 2046), under limits: so many bytes, parts and levels are read
 * and the rest is ignored, so the work is bounded by the limits and not by the mail. Broken mail (no end boundary, no
 * boundary parameter, cut off) gives the parts that can be made out. Bodies are decoded only when asked for.
 *
 * INTEROP(several): bounces quote mail that was cut in the middle of a part, so a missing boundary ends at the outer one.
 */
import { decodeCharset, decodeTransfer } from './decode.ts';
import { type Field, fieldOf, readHeader } from './header.ts';

export const LIMITS = { bytes: 4 * 1024 * 1024, parts: 200, depth: 16, decoded: 256 * 1024 } as const;

export interface Part {
  readonly fields: readonly Field[];
  /** Lower case, `text/plain` when there is none. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly children: readonly Part[];
  /** Decoded body of a leaf as text, cut to the limit. */
  text(): string;
}

interface Source {
  readonly text: string;
  parts: number;
}

/** Reads a whole mail. */
export function readMail(raw: Buffer): Part {
  const text = raw
    .subarray(0, LIMITS.bytes)
    .toString('latin1')
    .replaceAll('\r\n', '\n')
    .replaceAll('\r', '\n')
    .replace(/^\xef\xbb\xbf/, ''); // INTEROP(editors): a byte order mark in front
  const source = { text, parts: 0 };
  const start = /^\n{1,20}/.exec(text)?.[0].length ?? 0;
  const [end, ...more] = text.startsWith('From ', start) ? mailsOfMbox(text) : [text.length];
  const root = readPart(source, start, end!, 0);
  const others = more.map((next, i) => readPart(source, [end!, ...more][i]!, next, 1));
  return others.length === 0 ? root : { ...root, children: [...root.children, ...others] };
}

const MBOX = /\n\nFrom [^\s]{1,320} [^\n]{10,80}\d{4}\n(?=[A-Za-z-]{2,40}:)/g;

/** Where the mails of a mailbox file end. A file given to the command line may have several. */
const mailsOfMbox = (text: string): number[] => [
  ...[...text.matchAll(MBOX)].slice(0, 20).map(({ index }) => index + 2),
  text.length,
];

/** All parts of a tree in order, the root first. */
export function* walk(part: Part): Generator<Part> {
  yield part;
  for (const child of part.children) yield* walk(child);
}

function readPart(source: Source, start: number, end: number, depth: number): Part {
  source.parts += 1;
  const header = readHeader(source.text, start, end);
  const { type, parameters } = contentType(fieldOf(header.fields, 'content-type'));
  const encoding = (fieldOf(header.fields, 'content-transfer-encoding') ?? '').trim().toLowerCase();
  const text = (): string => {
    const encoded = source.text.slice(header.end, Math.min(end, header.end + LIMITS.decoded * 1.5));
    const body = decodeTransfer(encoded, encoding).slice(0, LIMITS.decoded);
    return decodeCharset(body, parameters.get('charset'));
  };
  const children =
    depth >= LIMITS.depth
      ? []
      : type.startsWith('multipart/')
        ? readMultipart(source, { start: header.end, end, depth, boundary: parameters.get('boundary') })
        : type === 'message/rfc822' || type === 'message/global'
          ? [readInner(source, { start: header.end, end, depth, encoding })]
          : [];
  return { fields: header.fields, type, parameters, children, text };
}

interface Body {
  readonly start: number;
  readonly end: number;
  readonly depth: number;
}

function readInner(source: Source, body: Body & { readonly encoding: string }): Part {
  const { start, end, depth, encoding } = body;
  if (encoding !== 'base64' && encoding !== 'quoted-printable') {
    const first = source.text[start] === '\n' ? start + 1 : start;
    return readPart(source, first, end, depth + 1);
  }
  const text = decodeTransfer(source.text.slice(start, Math.min(end, start + LIMITS.decoded)), encoding);
  const inner = { text: text.replaceAll('\r\n', '\n'), parts: source.parts };
  const part = readPart(inner, 0, inner.text.length, depth + 1);
  source.parts = inner.parts;
  return part;
}

function readMultipart(source: Source, body: Body & { readonly boundary: string | undefined }): Part[] {
  const { start, end, depth } = body;
  const boundary = body.boundary ?? guessBoundary(source.text.slice(start, Math.min(end, start + 4_096)));
  const parts: Part[] = [];
  if (boundary === undefined || boundary === '') return parts;
  const mark = `--${boundary}`;
  let at = nextMark(source.text, mark, start, end);
  while (at >= 0 && source.parts < LIMITS.parts) {
    const lineEnd = source.text.indexOf('\n', at);
    if (lineEnd < 0 || lineEnd >= end) break;
    if (source.text.startsWith('--', at + mark.length)) break;
    const next = nextMark(source.text, mark, lineEnd, end);
    parts.push(readPart(source, lineEnd + 1, next < 0 ? end : Math.max(next - 1, lineEnd + 1), depth + 1));
    at = next;
  }
  return parts;
}

/** Place of a boundary at the start of a line, or -1. */
function nextMark(text: string, mark: string, from: number, end: number): number {
  if (text.startsWith(mark, from)) return from;
  const found = text.indexOf(`\n${mark}`, from);
  return found < 0 || found + 1 >= end ? -1 : found + 1;
}

const guessBoundary = (body: string): string | undefined =>
  /^--([^\s-][^\n]{4,70})$/m.exec(body)?.[1]?.trim();

function contentType(value: string | undefined): Pick<Part, 'type' | 'parameters'> {
  const parameters = new Map<string, string>();
  const [type = '', ...rest] = splitParameters((value ?? '').slice(0, 2_048));
  for (const one of rest) {
    const equals = one.indexOf('=');
    if (equals < 1) continue;
    const name = one.slice(0, equals).trim().toLowerCase();
    if (!parameters.has(name)) parameters.set(name, unquote(one.slice(equals + 1).trim()));
  }
  const plain = type.trim().toLowerCase();
  return { type: plain.includes('/') ? plain : 'text/plain', parameters };
}

/** At `;` outside quotes. */
function splitParameters(value: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let from = 0;
  for (let at = 0; at < value.length; at++) {
    const char = value[at];
    if (char === '"') quoted = !quoted;
    else if (char === '\\' && quoted) at += 1;
    else if (char === ';' && !quoted) {
      parts.push(value.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, value.slice(from)];
}

const unquote = (value: string): string =>
  value.startsWith('"')
    ? value
        .slice(1)
        .replace(/"[^"]*$/, '')
        .replace(/\\(.)/g, '$1')
    : value.split(/\s/, 1)[0]!;
