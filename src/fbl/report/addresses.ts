/** Addresses in header values and in running text. Tolerant: what looks like one address to a person is one. */

const LOCAL = String.raw`[A-Za-z0-9!#$%&'*+/=?^_\x60{|}~.\-\u0080-\u{10FFFF}]{1,128}`;
/** A label is of one kind of script: text in Japanese or Arabic goes on right behind an address. */
const LABEL = String.raw`(?:[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}0-9_-]{1,63}|[\p{L}\p{M}\p{N}_-]{1,63})`;
const ADDRESS = new RegExp(String.raw`(?:"[^"\n\\@]{1,64}"|${LOCAL})@${LABEL}(?:\.${LABEL}){0,20}`, 'gu');
const MAX_TEXT = 16_384;
const LINK = /\bhttps?:\/\/[^\s<>"]{1,2000}/gi;

/** All addresses of a text, in order, each once. */
export function addressesIn(text: string, most = 50): string[] {
  const found = new Map<string, string>();
  for (const [match] of text.slice(0, MAX_TEXT).replace(LINK, ' ').matchAll(ADDRESS)) {
    const address = tidy(match);
    if (address !== undefined && !found.has(address)) found.set(address, address);
    if (found.size >= most) break;
  }
  return [...found.keys()];
}

/** One address out of a field such as `rfc822;<a@b.example>`. */
export const addressIn = (text: string): string | undefined => addressesIn(text, 1)[0];

/** What text puts in front of an address without a blank, and no domain ends with. */
const IN_FRONT =
  /^(?:(?:smtp|rfc822|mailto|to|x400|for)[=:]|[.'`=]|.*[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{P}](?<![\x00-\x7f])(?=[A-Za-z0-9]))+/iu;

function tidy(match: string): string | undefined {
  const at = match.lastIndexOf('@');
  const local = match.slice(0, at).replace(IN_FRONT, '');
  const domain = match
    .slice(at + 1)
    .replace(/[-_.]+$/, '')
    .toLowerCase();
  return local === '' || domain === '' ? undefined : `${local}@${domain}`;
}

/** Message-IDs in a header value, without their brackets. */
export const messageIdsIn = (value: string | undefined): string[] =>
  [...(value ?? '').slice(0, MAX_TEXT).matchAll(/<([^<>\s]{1,500})>/g)]
    .slice(0, 50)
    .map((match) => match[1]!);
