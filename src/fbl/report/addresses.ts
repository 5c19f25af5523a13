/** Addresses in header values and in running text. Tolerant: what looks like one address to a person is one. */

const LOCAL = String.raw`[A-Za-z0-9!#$%&'*+/=?^_\x60{|}~.\-\u0080-\uFFFF]{1,128}`;
const DOMAIN = String.raw`(?:[A-Za-z0-9\u0080-\uFFFF](?:[A-Za-z0-9_\-\u0080-\uFFFF]{0,62})\.)*[A-Za-z0-9\u0080-\uFFFF][A-Za-z0-9\-\u0080-\uFFFF]{0,62}`;
const ADDRESS = new RegExp(String.raw`(?:"[^"\n\\@]{1,64}"|${LOCAL})@${DOMAIN}`, 'gu');
const MAX_TEXT = 16_384;

/** All addresses of a text, in order, each once. */
export function addressesIn(text: string, most = 50): string[] {
  const found = new Map<string, string>();
  for (const [match] of text.slice(0, MAX_TEXT).matchAll(ADDRESS)) {
    const address = tidy(match);
    if (address !== undefined && !found.has(address)) found.set(address, address);
    if (found.size >= most) break;
  }
  return [...found.keys()];
}

/** One address out of a field such as `rfc822;<a@b.example>`. */
export const addressIn = (text: string): string | undefined => addressesIn(text, 1)[0];

function tidy(match: string): string | undefined {
  const at = match.lastIndexOf('@');
  const local = match.slice(0, at).replace(/^[.'`=]+/, '');
  const domain = match.slice(at + 1).toLowerCase();
  return local === '' ? undefined : `${local}@${domain}`;
}

/** Message-IDs in a header value, without their brackets. */
export const messageIdsIn = (value: string | undefined): string[] =>
  [...(value ?? '').slice(0, MAX_TEXT).matchAll(/<([^<>\s]{1,500})>/g)]
    .slice(0, 50)
    .map((match) => match[1]!);
