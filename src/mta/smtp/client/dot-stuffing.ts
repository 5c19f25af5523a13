/**
 * Transparency of DATA (RFC 5321 §4.5.2): a line that starts with a dot gets a second one. The content has CRLF
 * lines; a dot after any LF is treated as the start of a line, so not even a bare LF that slipped through can
 * become an end of data at a peer that takes it for one.
 */
const LF = 0x0a;
const DOT = 0x2e;
const LINE_DOT = Buffer.from('\n.');

/** The same parts when no line starts with a dot, otherwise one new part with the dots doubled. */
export function stuffDots(parts: readonly Buffer[]): readonly Buffer[] {
  const dots = countLineDots(parts);
  if (dots === 0) return parts;
  const stuffed = Buffer.allocUnsafe(totalBytes(parts) + dots);
  let at = 0;
  let lineStart = true;
  for (const part of parts) {
    at = stuffPart(part, lineStart, { stuffed, at });
    if (part.length > 0) lineStart = part[part.length - 1] === LF;
  }
  return [stuffed];
}

export function totalBytes(parts: readonly Buffer[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}

function countLineDots(parts: readonly Buffer[]): number {
  let dots = 0;
  let lineStart = true;
  for (const part of parts) {
    if (part.length === 0) continue;
    if (lineStart && part[0] === DOT) dots++;
    for (let i = part.indexOf(LINE_DOT); i !== -1; i = part.indexOf(LINE_DOT, i + 2)) dots++;
    lineStart = part[part.length - 1] === LF;
  }
  return dots;
}

/** Copies one part with its dots doubled; returns the position after it. */
function stuffPart(part: Buffer, lineStart: boolean, out: { readonly stuffed: Buffer; at: number }): number {
  const { stuffed } = out;
  let at = out.at;
  if (lineStart && part[0] === DOT) stuffed[at++] = DOT;
  let from = 0;
  for (let i = part.indexOf(LINE_DOT); i !== -1; i = part.indexOf(LINE_DOT, i + 2)) {
    at += part.copy(stuffed, at, from, i + 2);
    stuffed[at++] = DOT;
    from = i + 2;
  }
  return at + part.copy(stuffed, at, from);
}
