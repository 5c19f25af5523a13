/**
 * DKIM keys: loaded once, kept as KeyObject, because parsing a key for each signature costs as much as signing.
 * RSA from 1024 bits (RFC 8301 §3.2), Ed25519 (RFC 8463).
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { err, ok, toAsciiDomain, type Result } from '../../core/index.ts';

export type DkimAlgorithm = 'rsa-sha256' | 'ed25519-sha256';

export interface DkimKey {
  /** Signing domain (d=), lower-case A-labels. */
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: DkimAlgorithm;
  readonly key: KeyObject;
}

const MIN_RSA_BITS = 1024;
/** Bytes of the DER wrapping before the 32 raw bytes of an Ed25519 public key (RFC 8410 §4). */
const ED25519_DER_PREFIX = 12;

/** A private key in PEM (PKCS#1 or PKCS#8). The error is one sentence without key material. */
export function loadKey(
  pem: string | Buffer,
  name: { readonly domain: string; readonly selector: string },
): Result<DkimKey, string> {
  const domain = toAsciiDomain(name.domain);
  if (domain === undefined) return err('the signing domain is not a valid host name');
  if (toAsciiDomain(name.selector) === undefined) return err('the selector is not a valid DNS label');
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    return err('the file is not an unencrypted private key in PEM format');
  }
  const selector = name.selector.toLowerCase();
  if (key.asymmetricKeyType === 'ed25519') return ok({ domain, selector, algorithm: 'ed25519-sha256', key });
  if (key.asymmetricKeyType !== 'rsa') return err('the key is neither RSA nor Ed25519');
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < MIN_RSA_BITS) return err(`the RSA key has ${bits} bits; at least ${MIN_RSA_BITS} are needed`);
  return ok({ domain, selector, algorithm: 'rsa-sha256', key });
}

/** Name and text of the TXT record that publishes a key (RFC 6376 §3.6.1, RFC 8463 §4). */
export function publicRecord(key: DkimKey): { readonly name: string; readonly text: string } {
  const der = createPublicKey(key.key).export({ type: 'spki', format: 'der' });
  const isRsa = key.algorithm === 'rsa-sha256';
  const bytes = isRsa ? der : der.subarray(ED25519_DER_PREFIX);
  return {
    name: `${key.selector}._domainkey.${key.domain}`,
    text: `v=DKIM1; k=${isRsa ? 'rsa' : 'ed25519'}; p=${bytes.toString('base64')}`,
  };
}

/** A new private key in PEM (PKCS#8). RSA keys have 2048 bits: larger ones do not fit one TXT string or UDP answer. */
export function generateKeyPem(algorithm: DkimAlgorithm): string {
  const format = { type: 'pkcs8', format: 'pem' } as const;
  const { privateKey } =
    algorithm === 'rsa-sha256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ed25519');
  return privateKey.export(format).toString();
}

/** The keys of a sender by From domain. */
export class KeyRing {
  readonly #byDomain = new Map<string, readonly DkimKey[]>();

  constructor(keys: readonly DkimKey[]) {
    for (const key of keys) this.#byDomain.set(key.domain, [...(this.#byDomain.get(key.domain) ?? []), key]);
  }

  /**
   * The keys of the From domain itself, else of its nearest parent that has any (aligned for DMARC in relaxed mode,
   * RFC 7489 §3.1.1); empty when there is none.
   */
  keysFor(fromDomain: string): readonly DkimKey[] {
    let domain = fromDomain;
    for (;;) {
      const keys = this.#byDomain.get(domain);
      if (keys !== undefined) return keys;
      const dot = domain.indexOf('.');
      if (dot === -1) return [];
      domain = domain.slice(dot + 1);
    }
  }
}
