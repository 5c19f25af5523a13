/** DKIM: the canonical body and whole signatures. */
import { hash, sign } from 'node:crypto';
import {
  bodyHash,
  type DkimAlgorithm,
  generateKeyPem,
  loadKey,
  signMessageSync,
} from '../../src/mta/dkim/index.ts';
import type { Part } from './index.ts';
import { bodyStartOf, indentedHtml, plainText } from './samples.ts';

const NAME = { domain: 'source.test', selector: 's1' };

function keyOf(algorithm: DkimAlgorithm): ReturnType<typeof loadKey> & { readonly ok: true } {
  const key = loadKey(generateKeyPem(algorithm), NAME);
  if (!key.ok) throw new Error(key.error);
  return key;
}

const body = (name: string, content: Buffer): Part => {
  const start = bodyStartOf(content);
  const bytes = content.subarray(start);
  return {
    name: `dkim-body-${name}`,
    work: `relaxed form and hash of a body of 10 KB, ${name}`,
    run: () => bodyHash(content, start),
    limit: { work: 'SHA-256 of the bytes', run: () => hash('sha256', bytes, 'base64') },
  };
};

const signature = (algorithm: DkimAlgorithm): Part => {
  const { value: key } = keyOf(algorithm);
  const data = Buffer.alloc(600, 'x');
  const digest = algorithm === 'rsa-sha256' ? 'sha256' : null;
  return {
    name: `dkim-${algorithm.slice(0, algorithm.indexOf('-'))}`,
    work: `signature of 10 KB with ${algorithm}`,
    run: () => signMessageSync(indentedHtml, [key], { now: 0 }),
    limit: { work: 'crypto.sign of 600 bytes', run: () => sign(digest, data, key.key) },
  };
};

export const DKIM: readonly Part[] = [
  body('plain', plainText),
  body('html', indentedHtml),
  signature('rsa-sha256'),
  signature('ed25519-sha256'),
];
