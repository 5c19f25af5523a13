/** Reading of RFC 2047 encoded words, for header templates: their text must be known before it is encoded anew. */
import { TextDecoder } from 'node:util';

const WORD = /=\?([\w-]{1,40})(?:\*[\w-]{0,40})?\?([bBqQ])\?([^?\s]{0,998})\?=/g;

/** Text with its encoded words decoded. A word in a charset that is not known stays as it is. */
export function decodeEncodedWords(text: string): string {
  // White space between two encoded words is not part of the text (RFC 2047 §6.2).
  const joined = text.replaceAll(/(\?=)[ \t]+(?==\?)/g, '$1');
  return joined.replaceAll(WORD, (word: string, charset: string, encoding: string, encoded: string) => {
    const decoder = decoderOf(charset);
    if (decoder === undefined) return word;
    return decoder.decode(encoding.toLowerCase() === 'b' ? Buffer.from(encoded, 'base64') : fromQ(encoded));
  });
}

function decoderOf(charset: string): TextDecoder | undefined {
  try {
    return new TextDecoder(charset);
  } catch {
    return undefined;
  }
}

function fromQ(encoded: string): Buffer {
  const latin1 = encoded
    .replaceAll('_', ' ')
    .replaceAll(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(latin1, 'latin1');
}
