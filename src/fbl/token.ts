/**
 * Signed addresses that name a delivery, so that what comes back finds it and nobody can invent one: `b+TOKEN@domain` is
 * the return path, `h+` stands in a header field, for reports that leave the return path out, and `u+` takes requests
 * to unsubscribe. The letter is part of what is signed. A bare TOKEN, for the URL of a page, is signed for no domain.
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

/** First letter of an address, and the label that keeps one use of the secret apart from every other. */
const USES: Readonly<Record<TokenUse, { readonly letter: string; readonly label: string }>> = {
  return_path: { letter: 'b', label: 'return-path' },
  header: { letter: 'h', label: 'header' },
  unsubscribe: { letter: 'u', label: 'unsubscribe' },
  url: { letter: '', label: 'url' },
};
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
  const [signer] = keys;
  if (signer === undefined) throw new TypeError('at least one token secret is needed');
  return {
    returnPath: (deliveryId, domain) => signedAddress(signer, 'return_path', { deliveryId, domain }),
    address: (use, deliveryId, domain) => signedAddress(signer, use, { deliveryId, domain }),
    urlToken: (deliveryId) => signedToken(signer, 'url', { deliveryId, domain: '' }),
    verify: (text) => verifyText(keys, text),
  };
}

function normalId(id: string): string | undefined {
  const value = id.length === 1 ? parseBase32(id) : undefined;
  return value === undefined ? undefined : base32(value, 1);
}

interface Named {
  readonly deliveryId: DeliveryId;
  readonly domain: string;
}

function signedAddress(
  signer: readonly [string, KeyObject],
  use: TokenUse,
  { deliveryId, domain }: Named,
): string {
  const lower = domain.toLowerCase();
  return `${USES[use].letter}+${signedToken(signer, use, { deliveryId, domain: lower })}@${lower}`;
}

function signedToken(
  [keyId, key]: readonly [string, KeyObject],
  use: TokenUse,
  { deliveryId, domain }: Named,
): string {
  const delivery = parseDeliveryId(deliveryId);
  if (delivery === undefined) throw new TypeError('a delivery id is malformed');
  const payload = keyId + base32(delivery.number, NUMBER_CHARS) + base32(delivery.index, INDEX_CHARS);
  const mac = macOf(key, use, `${payload}\0${domain}`);
  return `${payload}${base32(mac.readUIntBE(0, 5), 8)}${base32(mac.readUIntBE(5, 5), 8)}`;
}

const macOf = (key: KeyObject, use: TokenUse, text: string): Buffer =>
  createHmac('sha256', key).update(`${USES[use].label}\0${text}`).digest().subarray(0, MAC_BYTES);

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
  const key = keys.get(keyId);
  if (key === undefined) return err('unknown_key');
  const given = Buffer.allocUnsafe(MAC_BYTES);
  given.writeUIntBE(high, 0, 5);
  given.writeUIntBE(low, 5, 5);
  const payload = keyId + base32(number, NUMBER_CHARS) + base32(index, INDEX_CHARS);
  if (!timingSafeEqual(given, macOf(key, use, `${payload}\0${domain}`))) return err('bad_signature');
  return ok({ deliveryId: deliveryIdOf(number, index), keyId, use });
}
