/**
 * Assembly of MIME entities from parts (RFC 2046): text, AMP and html are alternatives in this order (a reader takes
 * the last it knows, §5.1.4), inline files belong to the html (RFC 2387), other files stand beside. Gives steps, so
 * parts that vary and parts that do not live in one tree.
 */
import type { Step } from './campaign.ts';
import { BOUNDARY_MARK, fixed, lineEnd, type TextPart } from './text-part.ts';
import { encodeBase64Lines } from './transfer-encoding.ts';

export interface MimeNode {
  /** `Content-*` fields with CRLF each, without the blank line. */
  readonly header: string;
  readonly body: readonly Step[];
}

export interface FilePart {
  readonly filename: string;
  /** Checked `type/subtype`, parameters allowed. */
  readonly contentType: string;
  readonly bytes: Buffer;
  /** Content-ID without brackets for an inline file. */
  readonly cid: string | undefined;
}

/** Longest piece of a parameter in RFC 2231 §3 form. */
const PARAMETER_PIECE = 60;

export const textNode = (part: TextPart, subtype: 'plain' | 'x-amp-html' | 'html'): MimeNode => ({
  header:
    `Content-Type: text/${subtype}; charset=utf-8\r\n` + `Content-Transfer-Encoding: ${part.encoding}\r\n`,
  body: part.body,
});

export function fileNode(file: FilePart): MimeNode {
  const disposition = file.cid === undefined ? 'attachment' : 'inline';
  const contentId = file.cid === undefined ? '' : `Content-ID: <${file.cid}>\r\n`;
  return {
    header:
      `Content-Type: ${file.contentType}\r\nContent-Transfer-Encoding: base64\r\n` +
      `Content-Disposition: ${disposition};${filenameParameter(file.filename)}\r\n${contentId}`,
    body: [{ kind: 'bytes', bytes: encodeBase64Lines(file.bytes) }],
  };
}

/** A quoted string for plain ASCII, else RFC 2231 pieces in UTF-8. */
const filenameParameter = (filename: string): string =>
  /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,60}$/.test(filename)
    ? `\r\n filename="${filename}"`
    : extendedParameter('filename', filename);

/** A parameter of a content field in RFC 2231 pieces in UTF-8, each on a line of its own. */
export function extendedParameter(name: string, value: string): string {
  const encoded = Array.from(Buffer.from(value), percentByte);
  const pieces: string[] = [''];
  for (const unit of encoded) {
    const last = pieces.length - 1;
    if (pieces[last]!.length + unit.length > PARAMETER_PIECE) pieces.push(unit);
    else pieces[last] += unit;
  }
  if (pieces.length === 1) return `\r\n ${name}*=utf-8''${pieces[0]!}`;
  return pieces.map((piece, i) => `\r\n ${name}*${i}*=${i === 0 ? "utf-8''" : ''}${piece}`).join(';');
}

function percentByte(byte: number): string {
  const c = String.fromCharCode(byte);
  return /[A-Za-z0-9._-]/.test(c) ? c : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Gives boundaries that differ from each other and from every encoded text. */
export function boundaries(unique: string): () => string {
  let count = 0;
  return () => `${BOUNDARY_MARK}${unique}_${++count}`;
}

export function multipart(subtype: string, children: readonly MimeNode[], boundary: string): MimeNode {
  const body: Step[] = [];
  for (const child of children)
    body.push(fixed(`--${boundary}\r\n${child.header}\r\n`), ...child.body, lineEnd);
  body.push(fixed(`--${boundary}--\r\n`));
  return { header: `Content-Type: multipart/${subtype};\r\n boundary="${boundary}"\r\n`, body };
}

/** The tree for what a message has; at least one of `text` and `html` is given. */
export function messageTree(
  texts: {
    readonly text: MimeNode | undefined;
    readonly amp: MimeNode | undefined;
    readonly html: MimeNode | undefined;
  },
  files: readonly FilePart[],
  unique: string,
): MimeNode {
  const nextBoundary = boundaries(unique);
  const inline = texts.html === undefined ? [] : files.filter((file) => file.cid !== undefined);
  const beside = files.filter((file) => !inline.includes(file));
  let html = texts.html;
  if (html !== undefined && inline.length > 0)
    html = multipart('related; type="text/html"', [html, ...inline.map(fileNode)], nextBoundary());
  const alternatives = [texts.text, texts.amp, html].filter((node) => node !== undefined);
  const node =
    alternatives.length === 1 ? alternatives[0]! : multipart('alternative', alternatives, nextBoundary());
  return beside.length === 0 ? node : multipart('mixed', [node, ...beside.map(fileNode)], nextBoundary());
}
