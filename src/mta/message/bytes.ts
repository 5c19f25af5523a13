/**
 * What the bytes of a content are like, found in one pass, and the repair of line ends. RFC 5321 §2.3.8 knows only
 * CRLF; a bare CR or LF is read as a line end by some receivers and not by others (SMTP smuggling), so content is
 * normalised before anything else looks at it.
 */
import { isAscii } from 'node:buffer';

export interface ByteCheck {
  readonly bareCr: boolean;
  readonly bareLf: boolean;
  readonly nul: boolean;
  /** A byte above 127. */
  readonly eightBit: boolean;
  /** Octets of the longest line without its line end; RFC 5321 §4.5.3.1.6 allows 998. */
  readonly longestLine: number;
  /** A line begins with a dot, so DATA needs stuffing (RFC 5321 §4.5.2). */
  readonly dotLine: boolean;
}

/** Longest line without CRLF that RFC 5322 §2.1.1 and RFC 5321 §4.5.3.1.6 allow. */
export const MAX_LINE_OCTETS = 998;

const LF = 10;
const CR = 13;
const DOT = 46;

export function checkBytes(content: Buffer): ByteCheck {
  const length = content.length;
  let bareCr = false;
  let bareLf = false;
  let dotLine = length > 0 && content[0] === DOT;
  let longestLine = 0;
  let lineStart = 0;
  let nul = false;
  for (let at = 0; at < length; at++) {
    const byte = content[at]!;
    if (byte > CR) continue;
    if (byte === LF) {
      const crlf = at > lineStart && content[at - 1] === CR;
      if (!crlf) bareLf = true;
      const octets = at - lineStart - (crlf ? 1 : 0);
      if (octets > longestLine) longestLine = octets;
      lineStart = at + 1;
      if (content[lineStart] === DOT) dotLine = true;
    } else if (byte === CR) {
      if (content[at + 1] !== LF) bareCr = true;
    } else if (byte === 0) nul = true;
  }
  if (length - lineStart > longestLine) longestLine = length - lineStart;
  return { bareCr, bareLf, nul, eightBit: !isAscii(content), longestLine, dotLine };
}

/** Turns every bare CR and bare LF into CRLF. Returns the same buffer when there is none. */
export function normaliseLineEnds(content: Buffer): Buffer {
  const bare = countBare(content);
  if (bare === 0) return content;
  const out = Buffer.allocUnsafe(content.length + bare);
  let to = 0;
  for (let at = 0; at < content.length; at++) {
    const byte = content[at]!;
    if (byte === LF || byte === CR) {
      out[to++] = CR;
      out[to++] = LF;
      if (byte === CR && content[at + 1] === LF) at++;
    } else out[to++] = byte;
  }
  return out;
}

function countBare(content: Buffer): number {
  let bare = 0;
  for (let at = 0; at < content.length; at++) {
    const byte = content[at]!;
    if (byte > CR) continue;
    if (byte === CR) {
      if (content[at + 1] === LF) at++;
      else bare++;
    } else if (byte === LF) bare++;
  }
  return bare;
}
