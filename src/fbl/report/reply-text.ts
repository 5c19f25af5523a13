/** Codes in the words of a peer: the reply code of SMTP and the enhanced status code (RFC 3463). */

const MAX_TEXT = 4_096;
const MAX_LINE = 1_000;

const REPLY_AT_START = /^(?:\S{0,80}\s)?["'(<]{0,2}([45]\d\d)(?=[\s:"'.,;)#-]|$)/;
const REPLY_ANYWHERE =
  /(?:^|[\s"'(:;,>#[=])([45]\d\d)(?=(?:[\s-]+#?[45]\.\d{1,3}\.\d{1,3})|[\s:-]+["'(<]?[A-Za-z<[])/;
const STATUS = /(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)/;
/** Right behind a reply code it is the peer's own. */
const STATUS_OF_REPLY = /(?:^|[^\d.])[45]\d\d[\s-]+["'(#]{0,2}([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)/;
/** A line that begins with a reply, or has one behind a colon, a quote or "said". */
const REPLY_LINE =
  /^[ \t>*]*(?:<<<[ \t]*)?(?:[^\n]{0,400}?(?:said:|<--|was:|reason:|response:|returned:?|message:|follows:|: host [^\n]{1,120}:|\]:|[[("':>]) {0,3})?["'(<]{0,2}([45]\d\d[ -](?:[#(]?[45]\.\d{1,3}\.\d{1,3}|["'<([]?\p{L}))/imu;

export function replyCodeIn(text: string): number | undefined {
  const cut = text.slice(0, MAX_TEXT);
  const found = REPLY_AT_START.exec(cut)?.[1] ?? REPLY_ANYWHERE.exec(cut)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** The words from the first reply of SMTP in a text to the end of its paragraph. */
export function replyIn(text: string): string | undefined {
  const cut = text.slice(0, MAX_TEXT);
  const found = REPLY_LINE.exec(cut);
  if (!found) return undefined;
  const rest = cut.slice(found.index + found[0].length - found[1]!.length);
  const end = rest.search(/\n[ \t]*(?:\n|-{3,}|>>>)/);
  return end < 0 ? rest : rest.slice(0, end);
}

export function statusIn(text: string): string | undefined {
  const cut = text.slice(0, MAX_TEXT);
  return STATUS_OF_REPLY.exec(cut)?.[1] ?? STATUS.exec(cut)?.[1];
}

/**
 * The more exact of the status field and a code in the diagnostic. `5.0.0` says no more than "failed", so a code with
 * a detail in the peer's own words wins over it.
 */
export function bestStatus(field: string | undefined, diagnostic: string): string | undefined {
  const said = statusIn(diagnostic);
  if (field === undefined) return said;
  const vague = /^[45]\.\d{1,3}\.0$/.test(field);
  return vague && said !== undefined && !said.startsWith('2') && !/\.0\.0$/.test(said) ? said : field;
}

/** One line of bounded length. */
export const tidyLine = (text: string): string =>
  text.slice(0, MAX_TEXT).replace(/\s+/g, ' ').trim().slice(0, MAX_LINE);
