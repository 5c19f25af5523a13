/**
 * Dot-stuffing for DATA (RFC 5321 §4.5.2): a dot at the start of a line is doubled, and the content ends with CRLF, so
 * the terminator `.CRLF` that the caller adds is the only one. Works on a list of parts without joining them; lines
 * begin after CRLF only, also when a part's border lies between the two.
 */
const LINE_DOT = Buffer.from('\r\n.');
const DOT_BYTES = Buffer.from('.');
const CRLF = Buffer.from('\r\n');
const LF = 10;
const CR = 13;
const DOT = 46;

/** Returns `parts` itself when nothing needs a dot or a line end. */
export function stuffDots(parts: readonly Buffer[]): readonly Buffer[] {
  const out: Buffer[] = [];
  // The two bytes before the part: the content follows the CRLF of the DATA command.
  let before = CR;
  let last = LF;
  let changed = false;
  for (const part of parts) {
    if (part.length === 0) continue;
    const points = dotPoints(part, before, last);
    changed ||= points.length > 0;
    insertDots(part, points, out);
    before = part.length > 1 ? part[part.length - 2]! : last;
    last = part[part.length - 1]!;
  }
  // An empty content is the one case where the CRLF before it is not its own.
  if (out.length > 0 && before === CR && last === LF) return changed ? out : parts;
  out.push(CRLF);
  return out;
}

/** Positions in a part before which a dot goes. */
function dotPoints(part: Buffer, before: number, last: number): number[] {
  const points: number[] = [];
  if (part[0] === DOT && before === CR && last === LF) points.push(0);
  if (part[0] === LF && part[1] === DOT && last === CR) points.push(1);
  for (let at = part.indexOf(LINE_DOT); at !== -1; at = part.indexOf(LINE_DOT, at + 3)) points.push(at + 2);
  return points;
}

function insertDots(part: Buffer, points: readonly number[], out: Buffer[]): void {
  let from = 0;
  for (const point of points) {
    if (point > from) out.push(part.subarray(from, point));
    out.push(DOT_BYTES);
    from = point;
  }
  out.push(from === 0 ? part : part.subarray(from));
}
