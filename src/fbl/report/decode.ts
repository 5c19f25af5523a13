/**
 * Transfer encodings, character sets and encoded words (RFC 2045 §6, RFC 2047) of mail from strangers. Nothing here
 * grows: the output is never longer than the input, and the input is cut to a limit before it is decoded.
 */

/** Bytes of an encoded body (latin1 text in, latin1 text out). */
export function decodeTransfer(body: string, encoding: string): string {
  switch (encoding) {
    case 'base64':
      return Buffer.from(body, 'base64').toString('latin1');
    case 'quoted-printable':
      return decodeQuoted(body);
    default:
      return body;
  }
}

const decodeQuoted = (body: string): string =>
  body
    .replace(/[ \t]*=[ \t]*\n/g, '')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));

/** Characters of bytes in a charset. An unknown name, or none, is UTF-8 where that is valid, else Windows-1252. */
export function decodeCharset(latin1: string, charset: string | undefined): string {
  if (!/[^\x09-\x7e]/.test(latin1) && !/^(?:iso-2022|hz|utf-7|utf-16)/i.test(charset ?? '')) return latin1;
  const bytes = Buffer.from(latin1, 'latin1');
  const named = charset === undefined ? undefined : decoderOf(charset);
  if (named && named.encoding !== 'utf-8') return named.decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder(named ? 'utf-8' : 'windows-1252').decode(bytes);
  }
}

function decoderOf(charset: string): InstanceType<typeof TextDecoder> | undefined {
  try {
    return new TextDecoder(charset);
  } catch {
    return undefined; // a charset of another world
  }
}

const WORD = /=\?([\w-]{1,40})(?:\*[\w-]{0,20})?\?([bBqQ])\?([^?\s]{0,2000})\?=(?:[ \t]+(?==\?))?/g;

/** A header value with its encoded words as text. */
export function decodeWords(value: string): string {
  const cut = value.slice(0, 4_096);
  const decoded = cut.includes('=?')
    ? cut.replace(WORD, (_, charset: string, how: string, text: string) => {
        const bytes =
          how.toLowerCase() === 'b'
            ? decodeTransfer(text, 'base64')
            : decodeQuoted(text.replaceAll('_', ' '));
        return decodeCharset(bytes, charset);
      })
    : cut;
  return decoded === cut ? decodeCharset(cut, undefined) : decoded;
}
