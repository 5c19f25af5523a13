/**
 * One text for all replies of one cause: addresses, host addresses, links' tails, ids and numbers become marks, so
 * that equal causes add up in reports. The codes in front stay.
 */
const CODES = /^[2-5]\d\d(?:[ -][245]\.\d{1,3}\.\d{1,3})?(?= |$)/;

const FOLDS: readonly (readonly [RegExp, string])[] = [
  [/\s+/g, ' '],
  [/<?[^\s<>@"'(),;:]{1,128}@[A-Za-z0-9.-]{1,253}>?/g, '<address>'],
  [/\b(https?:\/\/[A-Za-z0-9.-]{1,100})[^\s<>"')]*/g, '$1/...'],
  [/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '<ip>'],
  [/\b(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}\b/g, '<ip>'],
  // An id: letters and digits mixed, or a long number with its separators.
  [/\b(?=[A-Za-z.-]*\d)(?=[\d.-]*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]{6,}\b/g, '<id>'],
  [/\d+/g, '#'],
];

export function foldReply(line: string): string {
  const codes = CODES.exec(line)?.[0] ?? '';
  let rest = line.slice(codes.length, 1_000);
  for (const [pattern, mark] of FOLDS) rest = rest.replace(pattern, mark);
  return `${codes}${rest}`.trim();
}
