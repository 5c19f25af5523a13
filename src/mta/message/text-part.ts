/**
 * The body of a text part as steps with its transfer encoding. Text without variables is encoded once, as plainly as
 * it can be; text with variables is quoted-printable or base64, whatever its fixed text makes shorter, because a
 * value may be anything.
 */
import { isAscii } from 'node:buffer';
import type { Result } from '../../core/index.ts';
import { checkBytes, MAX_LINE_OCTETS } from './bytes.ts';
import { quotedBlock, type Step } from './campaign.ts';
import { compileTemplate, type TemplateError } from './template.ts';
import { encodeBase64Lines, encodeQuotedPrintable, quotedPrintableLength } from './transfer-encoding.ts';

export type TransferEncoding = '7bit' | 'quoted-printable' | 'base64';

export interface TextPart {
  readonly encoding: TransferEncoding;
  readonly body: readonly Step[];
}

/** Text that no quoted-printable or base64 output contains (RFC 2045 §6.7), so boundaries begin with it. */
export const BOUNDARY_MARK = '=_';

const CRLF = Buffer.from('\r\n');

/** Compiles a template of a body. Line ends become CRLF, and the last line gets one. */
export function textPart(text: string, escape: 'html' | 'none'): Result<TextPart, TemplateError> {
  const lines = text.replaceAll(/\r\n?|\n/g, '\r\n');
  const template = compileTemplate(lines.endsWith('\r\n') ? lines : `${lines}\r\n`, { escape });
  if (!template.ok) return template;
  const { texts, names } = template.value;
  const buffers = texts.map((piece) => Buffer.from(piece));
  if (names.length === 0) return { ok: true, value: fixedPart(buffers[0]!) };
  const encoding = shorterEncoding(Buffer.concat(buffers));
  const step: Step =
    encoding === 'base64'
      ? { kind: 'base64', texts: buffers, names, escape }
      : {
          kind: 'quoted',
          blocks: buffers.map((buffer) => quotedBlock(encodeQuotedPrintable(buffer))),
          names,
          escape,
        };
  return { ok: true, value: { encoding, body: [step] } };
}

function fixedPart(bytes: Buffer): TextPart {
  const encoding = fixedEncoding(bytes);
  if (encoding === '7bit') return { encoding, body: [{ kind: 'bytes', bytes }] };
  const encode = encoding === 'base64' ? encodeBase64Lines : encodeQuotedPrintable;
  return { encoding, body: [{ kind: 'bytes', bytes: encode(bytes) }] };
}

function fixedEncoding(bytes: Buffer): TransferEncoding {
  const check = checkBytes(bytes);
  const safe = isAscii(bytes) && !check.nul && check.longestLine <= MAX_LINE_OCTETS;
  return safe && !bytes.includes(`--${BOUNDARY_MARK}`) ? '7bit' : shorterEncoding(bytes);
}

const shorterEncoding = (bytes: Buffer): 'quoted-printable' | 'base64' =>
  quotedPrintableLength(bytes) <= (bytes.length / 3) * 4 ? 'quoted-printable' : 'base64';

/** A step of fixed text. */
export const fixed = (text: string): Step => ({ kind: 'bytes', bytes: Buffer.from(text) });
export const lineEnd: Step = { kind: 'bytes', bytes: CRLF };
