/**
 * Fields of MIME parts that were written beyond ASCII, in ASCII: raw UTF-8 in the header of a part needs SMTPUTF8
 * (RFC 6532 §3.3), and not all receivers have it. A parameter gets its extended form (RFC 2231), a text encoded words.
 */
import { isAscii } from 'node:buffer';
import { err, ok, type Result } from '../../core/index.ts';
import { decodeEncodedWords } from './encoded-word.ts';
import { formatField } from './header-text.ts';
import { fieldValue, type HeaderScan } from './header.ts';
import { extendedParameter } from './mime-tree.ts';
import { parameterised, type Parameters } from './mime.ts';

const WITH_PARAMETERS = new Set(['content-type', 'content-disposition']);
/** The field is named by who asks. */
export const NOT_ASCII = 'characters beyond ASCII may not stand here';

/** The header and body with these fields in ASCII; the same bytes where they are. */
export function withAsciiFields(
  bytes: Buffer,
  { fields }: HeaderScan,
  wanted: (name: string) => boolean,
): Result<Buffer, string> {
  const chunks: Buffer[] = [];
  let from = 0;
  for (const field of fields) {
    if (!wanted(field.name) || isAscii(bytes.subarray(field.start, field.end))) continue;
    const name = bytes.toString('latin1', field.start, field.start + field.name.length);
    const text = asciiField(name, fieldValue(bytes, field));
    if (!text.ok) return err(`${name}: ${text.error}`);
    chunks.push(bytes.subarray(from, field.start), Buffer.from(text.value));
    from = field.end;
  }
  return ok(from === 0 ? bytes : Buffer.concat([...chunks, bytes.subarray(from)]));
}

function asciiField(name: string, text: string): Result<string, string> {
  const lower = name.toLowerCase();
  if (!lower.startsWith('content-') || lower === 'content-description')
    return ok(formatField(name, decodeEncodedWords(text)));
  const { value, parameters } = parameterised(text);
  if (!WITH_PARAMETERS.has(lower) || !isAscii(Buffer.from(`${value}${parameters.get('boundary') ?? ''}`)))
    return err(NOT_ASCII);
  return ok(`${name}: ${value}${parametersText(parameters)}\r\n`);
}

/** Each on a line of its own, behind a semicolon. One that no receiver could read is left out. */
export const parametersText = (parameters: Parameters): string =>
  [...parameters]
    .filter(([name, value]) => /^[!-~]+$/.test(name) && !/[\x00-\x1f\x7f]/.test(value))
    .map(([name, value]) => parameter(name, value, parameters))
    .join('');

function parameter(name: string, value: string, beside: Parameters): string {
  if (/[^\x00-\x7f]/.test(value)) {
    const plain = name.replace(/\*.*$/, '');
    const isThere = ['*', '*0', '*0*'].some((end) => beside.has(plain + end) && plain + end !== name);
    return isThere ? '' : `;${extendedParameter(plain, value)}`;
  }
  // An extended value may not be quoted (RFC 2231 §7).
  if (name.endsWith('*') && /^[^\s"(),/:;<=>?@[\\\]]+$/.test(value)) return `;\r\n ${name}=${value}`;
  return `;\r\n ${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`;
}
