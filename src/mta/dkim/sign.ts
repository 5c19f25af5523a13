/**
 * DKIM signatures (RFC 6376, RFC 8463), relaxed/relaxed, one DKIM-Signature field for each key. The header is
 * canonicalised and the body hashed once for all keys. Signing is the last change to a content: no byte of it may
 * change afterwards.
 *
 * Repeated fields are signed from the bottom up (§5.4.2). From is signed once more than it occurs (§8.15), so nobody
 * can add another one.
 */
import { createHash, sign, type KeyObject } from 'node:crypto';
import { scanHeader, type HeaderField, type HeaderScan } from '../message/index.ts';
import { bodyHash, relaxField } from './canonical.ts';
import type { DkimKey } from './key.ts';

export interface SignOptions {
  /** Wall time in ms; becomes t=. */
  readonly now: number;
  /** Base64 body hash when it is known already (`bodyHash`), so the body is not read. */
  readonly bodyHash?: string;
  /** Whole fields that go in front of the content, behind the signatures: signed with it without being joined to it. */
  readonly front?: Buffer;
}

/** What receivers show or act on, where present (RFC 6376 §5.4.1, RFC 8058 §4). */
const SIGNED: ReadonlySet<string> = new Set([
  'from',
  'to',
  'cc',
  'subject',
  'date',
  'message-id',
  'reply-to',
  'sender',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'in-reply-to',
  'references',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'list-id',
  'feedback-id',
  'postrider-delivery',
]);
const NO_FIELDS = Buffer.alloc(0);
const FOLD_AT = 76;
const FOLD = '\r\n\t';

/** Signature fields with CRLF, to put before the content. RSA runs on libuv's thread pool. */
export async function signMessage(
  content: Buffer,
  keys: readonly DkimKey[],
  options: SignOptions,
): Promise<Buffer> {
  const plan = planSignature(content, options);
  const fields = await Promise.all(keys.map((key) => signField(plan, key)));
  return Buffer.from(fields.join(''), 'latin1');
}

/** The same on the calling thread. */
export function signMessageSync(content: Buffer, keys: readonly DkimKey[], options: SignOptions): Buffer {
  const plan = planSignature(content, options);
  const fields = keys.map((key) => {
    const unsigned = unsignedField(plan, key);
    return finish(unsigned, sign(digestOf(key), signedData(plan, key, unsigned), key.key));
  });
  return Buffer.from(fields.join(''), 'latin1');
}

/** What is the same for all keys. */
interface SignaturePlan {
  /** Relaxed form of the signed fields, each with CRLF. */
  readonly header: Buffer;
  /** Value of h=, with folds. */
  readonly names: string;
  readonly bodyHash: string;
  readonly seconds: number;
}

function planSignature(content: Buffer, options: SignOptions): SignaturePlan {
  const { front = NO_FIELDS } = options;
  const scan = scanHeader(content);
  const below = signedFields(scan);
  const above = signedFields(scanHeader(front));
  const fields = [...below, ...above];
  const header = Buffer.allocUnsafe(scan.headerEnd + front.length + 2 * fields.length);
  let length = 0;
  for (const field of below) length = relaxField(content, field, header, length);
  for (const field of above) length = relaxField(front, field, header, length);
  return {
    header: header.subarray(0, length),
    names: foldNames(fields),
    bodyHash: options.bodyHash ?? bodyHash(content, scan.bodyStart),
    seconds: Math.floor(options.now / 1000),
  };
}

/** From the bottom up: the n-th mention of a name in h= is its n-th field from the end (RFC 6376 §5.4.2). */
function signedFields(scan: HeaderScan): readonly HeaderField[] {
  const fields: HeaderField[] = [];
  for (let i = scan.fields.length - 1; i >= 0; i--)
    if (SIGNED.has(scan.fields[i]!.name)) fields.push(scan.fields[i]!);
  return fields;
}

/** The names for h=, with one From more than there are (RFC 6376 §8.15), folded. */
function foldNames(fields: readonly HeaderField[]): string {
  let text = '';
  let column = 3;
  for (const field of fields) {
    if (column + field.name.length + 1 > FOLD_AT) {
      text += FOLD;
      column = 1;
    }
    text += `${field.name}:`;
    column += field.name.length + 1;
  }
  return `${text}${column + 5 > FOLD_AT ? FOLD : ''}from`;
}

/** The field up to `b=`, folded. */
const unsignedField = (plan: SignaturePlan, key: DkimKey): string =>
  `DKIM-Signature: v=1; a=${key.algorithm}; c=relaxed/relaxed;${FOLD}d=${key.domain}; s=${key.selector};` +
  `${FOLD}t=${plan.seconds}; bh=${plan.bodyHash};${FOLD}h=${plan.names};${FOLD}b=`;

/**
 * What is signed (RFC 6376 §3.7): the fields, then the signature field in relaxed form with an empty b= and without
 * its CRLF. Every fold of ours is CRLF HTAB, so its relaxed form is one SP. For Ed25519 that is the SHA-256 of it
 * (RFC 8463 §3).
 */
function signedData(plan: SignaturePlan, key: DkimKey, unsigned: string): Buffer {
  const relaxed = `dkim-signature:${unsigned.slice('DKIM-Signature: '.length).replaceAll(FOLD, ' ')}`;
  const data = Buffer.allocUnsafe(plan.header.length + relaxed.length);
  plan.header.copy(data, 0);
  data.write(relaxed, plan.header.length, 'latin1');
  return key.algorithm === 'ed25519-sha256' ? createHash('sha256').update(data).digest() : data;
}

const digestOf = (key: DkimKey): string | null => (key.algorithm === 'rsa-sha256' ? 'sha256' : null);

async function signField(plan: SignaturePlan, key: DkimKey): Promise<string> {
  const unsigned = unsignedField(plan, key);
  const data = signedData(plan, key, unsigned);
  // Ed25519 costs 0.04 ms: less than the way to the pool and back.
  if (key.algorithm === 'ed25519-sha256') return finish(unsigned, sign(null, data, key.key));
  return finish(unsigned, await signInPool(data, key.key));
}

function signInPool(data: Buffer, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign('sha256', data, key, (error, signature) => {
      if (error === null) resolve(signature);
      else reject(error);
    });
  });
}

/** The whole field: the signature in lines, FWS inside of b= does not count (RFC 6376 §3.5). */
function finish(unsigned: string, signature: Buffer): string {
  const text = signature.toString('base64');
  let field = unsigned + text.slice(0, FOLD_AT - 4);
  for (let at = FOLD_AT - 4; at < text.length; at += FOLD_AT - 4)
    field += FOLD + text.slice(at, at + FOLD_AT - 4);
  return `${field}\r\n`;
}
