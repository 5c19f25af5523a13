/**
 * Signed addresses that name a delivery, so that what comes back finds it and nobody can invent one: `b+TOKEN@domain` is
 * the return path, `h+` stands in a header field, for reports that leave the return path out, and `u+` takes requests
 * to unsubscribe. Each use has a part of the MAC of its own. A bare TOKEN, for the URL of a page, is signed for no domain.
 *
 * TOKEN, base32 and case-insensitive because some mail systems change the case of a local part, is 35 characters: key
 * id (1), message number (11), recipient index (7), and 80 bits of HMAC-SHA-256 over them and the domain (16). With
 * the prefix that is 37 of the 64 octets of a local part (RFC 5321 §4.5.3.1.1). 80 bits cannot be guessed over SMTP,
 * and a longer text would not fit bounce systems that shorten addresses.
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import {
  base32,
  deliveryIdOf,
  err,
  ok,
  parseAddress,
  parseBase32,
  parseDeliveryId,
  type DeliveryId,
  type Result,
} from '../core/index.ts';

export interface TokenSecret {
  /** One base32 character; names the key so secrets can be replaced while old bounces still come. */
  readonly id: string;
  /** At least 16 bytes. */
  readonly key: Buffer;
}

export type TokenError = 'malformed' | 'unknown_key' | 'bad_signature';

export type TokenUse = 'return_path' | 'header' | 'unsubscribe' | 'url';

export interface VerifiedToken {
  readonly deliveryId: DeliveryId;
  readonly keyId: string;
  readonly use: TokenUse;
}

export interface Tokens {
  /** The signed address for MAIL FROM of a delivery; the first secret signs. */
  returnPath(deliveryId: DeliveryId, domain: string): string;
  /** The signed address for another use. */
  address(use: Exclude<TokenUse, 'url'>, deliveryId: DeliveryId, domain: string): string;
  /** The bare token for a URL. */
  urlToken(deliveryId: DeliveryId): string;
  /** The delivery that an address of ours, or a bare token, names. Every secret verifies. */
  verify(text: string): Result<VerifiedToken, TokenError>;
}

/**
 * First letter of an address, and where in the MAC the bytes of the use begin: one MAC of a delivery serves all uses,
 * and none tells of another. `url` may share, for its MAC is another one: no address has an empty domain.
 */
const USES: Readonly<Record<TokenUse, { readonly letter: string; readonly macFrom: number }>> = {
  return_path: { letter: 'b', macFrom: 0 },
  header: { letter: 'h', macFrom: 10 },
  unsubscribe: { letter: 'u', macFrom: 20 },
  url: { letter: '', macFrom: 0 },
};
/** Keeps this use of the secret apart from every other. */
const LABEL = 'delivery';
const BY_LETTER = new Map(Object.entries(USES).map(([use, { letter }]) => [letter, use as TokenUse]));

const NUMBER_CHARS = 11;
const INDEX_CHARS = 7;
const MAC_BYTES = 10;
const MAC_CHARS = 16;
const TOKEN_CHARS = 1 + NUMBER_CHARS + INDEX_CHARS + MAC_CHARS;
const MAX_INDEX = 2 ** 31;
const MIN_KEY_BYTES = 16;

/** `secrets` was checked by the configuration: at least one, distinct ids of one base32 character. Throws otherwise. */
export function createTokens(secrets: readonly TokenSecret[]): Tokens {
  // Key objects: with raw bytes each MAC would take 15 us instead of 3, and one is made per message.
  const keys = new Map<string, KeyObject>();
  for (const { id, key } of secrets) {
    const keyId = normalId(id);
    if (keyId === undefined || keys.has(keyId) || key.length < MIN_KEY_BYTES)
      throw new TypeError('a token secret needs a distinct id of one base32 character and a key of 16 bytes');
    keys.set(keyId, createSecretKey(key));
  }
  const [first] = keys;
  if (first === undefined) throw new TypeError('at least one token secret is needed');
  const sign = signer(...first);
  const address = (use: TokenUse, deliveryId: DeliveryId, domain: string): string => {
    const lower = domain.toLowerCase();
    return `${USES[use].letter}+${sign(use, deliveryId, lower)}@${lower}`;
  };
  return {
    returnPath: (deliveryId, domain) => address('return_path', deliveryId, domain),
    address,
    urlToken: (deliveryId) => sign('url', deliveryId, ''),
    verify: (text) => verifyText(keys, text),
  };
}

function normalId(id: string): string | undefined {
  const value = id.length === 1 ? parseBase32(id) : undefined;
  return value === undefined ? undefined : base32(value, 1);
}

/** Gives tokens. The MAC of the last delivery is kept: an attempt asks for several of its tokens in a row. */
function signer(
  keyId: string,
  key: KeyObject,
): (use: TokenUse, deliveryId: DeliveryId, domain: string) => string {
  let last:
    | { readonly id: string; readonly domain: string; readonly payload: string; readonly mac: Buffer }
    | undefined;
  return (use, id, domain) => {
    if (last?.id !== id || last.domain !== domain) {
      const delivery = parseDeliveryId(id);
      if (delivery === undefined) throw new TypeError('a delivery id is malformed');
      const payload = keyId + base32(delivery.number, NUMBER_CHARS) + base32(delivery.index, INDEX_CHARS);
      last = { id, domain, payload, mac: macOf(key, payload, domain) };
    }
    const { macFrom } = USES[use];
    const { payload, mac } = last;
    return `${payload}${base32(mac.readUIntBE(macFrom, 5), 8)}${base32(mac.readUIntBE(macFrom + 5, 5), 8)}`;
  };
}

const macOf = (key: KeyObject, payload: string, domain: string): Buffer =>
  createHmac('sha256', key).update(`${LABEL}\0${payload}\0${domain}`).digest();

function verifyText(keys: ReadonlyMap<string, KeyObject>, text: string): Result<VerifiedToken, TokenError> {
  if (!text.includes('@')) return verifyToken(keys, 'url', { token: text, domain: '' });
  const address = parseAddress(text);
  if (!address.ok) return err('malformed');
  const { local, domain } = address.value;
  const use = local[1] === '+' ? BY_LETTER.get(local[0]!.toLowerCase()) : undefined;
  return use === undefined ? err('malformed') : verifyToken(keys, use, { token: local.slice(2), domain });
}

function verifyToken(
  keys: ReadonlyMap<string, KeyObject>,
  use: TokenUse,
  { token, domain }: { readonly token: string; readonly domain: string },
): Result<VerifiedToken, TokenError> {
  if (token.length !== TOKEN_CHARS) return err('malformed');
  const keyId = normalId(token[0]!);
  const number = parseBase32(token.slice(1, 1 + NUMBER_CHARS));
  const index = parseBase32(token.slice(1 + NUMBER_CHARS, 1 + NUMBER_CHARS + INDEX_CHARS));
  const high = parseBase32(token.slice(-MAC_CHARS, -MAC_CHARS / 2));
  const low = parseBase32(token.slice(-MAC_CHARS / 2));
  if (keyId === undefined || number === undefined || index === undefined) return err('malformed');
  if (high === undefined || low === undefined || index < 1 || index > MAX_INDEX) return err('malformed');
  const given = Buffer.allocUnsafe(MAC_BYTES);
  given.writeUIntBE(high, 0, 5);
  given.writeUIntBE(low, 5, 5);
  const payload = keyId + base32(number, NUMBER_CHARS) + base32(index, INDEX_CHARS);
  const { macFrom } = USES[use];
  // The id is a hint: keys that were given none change their numbers when another is put before them.
  const named = keys.get(keyId);
  const others = [...keys.values()].filter((key) => key !== named);
  const fits = (key: KeyObject): boolean =>
    timingSafeEqual(given, macOf(key, payload, domain).subarray(macFrom, macFrom + MAC_BYTES));
  if (!(named !== undefined && fits(named)) && !others.some(fits))
    return err(named === undefined ? 'unknown_key' : 'bad_signature');
  return ok({ deliveryId: deliveryIdOf(number, index), keyId, use });
}
