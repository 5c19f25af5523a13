/**
 * How many values a JSON text has at most, before it is parsed: a body of empty objects takes twenty times its size in
 * memory, and as many complaints as there are values when none of them is what it should be. The longest that is sent
 * to some purpose, a page of the stop list, has a tenth of it.
 */
const MAX_VALUES = 200_000;

const [QUOTE, BACKSLASH, COMMA, BRACKET, BRACE] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b];

/** Why it is not parsed; undefined when it may be. */
export function tooManyValues(bytes: Buffer): string | undefined {
  // Each value takes a byte, and each but the first a comma or an opening before it.
  if (bytes.length <= MAX_VALUES) return undefined;
  let values = 1;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at + 1);
    else if ((byte === COMMA || byte === BRACKET || byte === BRACE) && ++values > MAX_VALUES)
      return `has more than ${MAX_VALUES} values`;
  }
  return undefined;
}

/** Where the quote is that ends the string. */
function endOfString(bytes: Buffer, start: number): number {
  for (let end = bytes.indexOf(QUOTE, start); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return bytes.length;
}
