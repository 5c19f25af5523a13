/**
 * The files a configuration names: there, readable, and what they should be. Read once here so that a wrong key is a
 * message at start or reload and not a failed delivery at night.
 * Standards: RFC 8301 §3.2 (RSA of 1024 bits at least, 2048 recommended), RFC 8463 (Ed25519).
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { err, ok, type Result } from '../core/index.ts';
import { Unique } from './checked.ts';
import type { Path } from './problem.ts';
import type { Draft } from './draft.ts';
import type { Report } from './report.ts';

const MAKE_SECRET = 'create it with "openssl rand -hex 32 > FILE"';
const READ_TIMEOUT_MS = 10_000;
const MAX_FILE_BYTES = 1024 * 1024;
const MIN_RSA_BITS = 1024;
const GOOD_RSA_BITS = 2048;

/** Reads every file that the draft names and reports what is wrong with it. */
export async function checkFiles(draft: Draft, report: Report): Promise<void> {
  const { secret_file, control, status, smtp, mx } = draft.settings;
  const checks: Promise<unknown>[] = [];
  const named = (path: Path, name: string | null | undefined, remedy: string): void => {
    if (name !== null && name !== undefined) checks.push(checkContent(path, name, remedy, report));
  };
  named(['secret_file'], secret_file, `${MAKE_SECRET}, or remove the key`);
  named(['control', 'token_file'], control.token_file, MAKE_SECRET);
  named(['status', 'token_file'], status.token_file, MAKE_SECRET);
  for (const token of control.tokens) named(draft.at(token, 'secret_file'), token.secret_file, MAKE_SECRET);
  for (const user of smtp.auth)
    named(draft.at(user, 'password_file'), user.password_file, 'write the password into it');
  checks.push(checkCertificate('smtp', smtp.tls, report), checkCertificate('mx', mx.tls, report));
  checks.push(checkCertificate('control', control.tls, report));
  for (const key of draft.lists.senders.flatMap((sender) => sender.dkim))
    checks.push(checkDkimKey(draft.at(key, 'key_file'), key.key_file, report));
  checks.push(checkSecrets(draft, report));
  await Promise.all(checks);
}

/** A token is known by its secret: two with the same one would be one caller with the rights of either. */
async function checkSecrets({ settings: { control }, ...draft }: Draft, report: Report): Promise<void> {
  const files: (readonly [Path, string])[] = control.tokens.map((token) => [
    draft.at(token, 'secret_file'),
    token.secret_file,
  ]);
  if (control.token_file !== null) files.push([['control', 'token_file'], control.token_file]);
  const unique = new Unique(report);
  const contents = await Promise.all(files.map(([path, name]) => read(report.sources.absolute(path, name))));
  for (const [i, content] of contents.entries()) {
    const secret = content.ok ? content.value.toString('utf8').trim() : '';
    if (secret === '') continue;
    unique.add(
      secret,
      files[i]![0],
      (place) => `has the same secret as the token at ${place}: ${MAKE_SECRET}`,
    );
  }
}

async function checkContent(path: Path, name: string, remedy: string, report: Report): Promise<void> {
  const content = await read(report.sources.absolute(path, name));
  if (!content.ok) report.error(path, `${content.error}: ${remedy}`);
  else if (content.value.toString('latin1').trim() === '')
    report.error(path, `${report.sources.absolute(path, name)} is empty: ${remedy}`);
}

async function checkDkimKey(path: Path, name: string, report: Report): Promise<void> {
  const file = report.sources.absolute(path, name);
  const content = await read(file);
  if (!content.ok) {
    report.error(path, `${content.error}: create a key with "postrider dkim generate"`);
    return;
  }
  const key = parseKey(content.value);
  if (!key.ok) {
    report.error(path, `${file} ${key.error}`);
    return;
  }
  const bits = key.value.asymmetricKeyDetails?.modulusLength ?? 0;
  const type = key.value.asymmetricKeyType;
  if (type !== 'rsa' && type !== 'ed25519')
    report.error(path, `${file} is a key of type ${type ?? 'unknown'}, but DKIM knows RSA and Ed25519 only`);
  else if (type === 'rsa' && bits < MIN_RSA_BITS)
    report.error(
      path,
      `${file} has ${bits} bits, but receivers refuse RSA keys under 1024: create one of 2048`,
    );
  else if (type === 'rsa' && bits < GOOD_RSA_BITS)
    report.warn(path, `${file} has ${bits} bits: create one of 2048 (RFC 8301)`);
}

type TlsDraft = Pick<Draft['settings']['smtp']['tls'], 'cert_file' | 'key_file'>;

async function checkCertificate(
  listener: 'smtp' | 'mx' | 'control',
  { cert_file, key_file }: TlsDraft,
  report: Report,
): Promise<void> {
  const path = (name: string): Path => [listener, 'tls', name];
  const certificate = await readNamed(path('cert_file'), cert_file, report, parseCertificate);
  const key = await readNamed(path('key_file'), key_file, report, parseKey);
  if (!certificate || !key) return;
  if (!certificate.checkPrivateKey(key))
    report.error(path('key_file'), 'is not the key of the certificate in cert_file');
  if (certificate.validToDate.getTime() < Date.now())
    report.warn(path('cert_file'), `the certificate expired on ${certificate.validToDate.toISOString()}`);
}

async function readNamed<T>(
  path: Path,
  name: string | undefined,
  report: Report,
  parse: (content: Buffer) => Result<T, string>,
): Promise<T | undefined> {
  if (name === undefined) return undefined;
  const file = report.sources.absolute(path, name);
  const content = await read(file);
  const parsed = content.ok ? parse(content.value) : undefined;
  if (!content.ok) report.error(path, content.error);
  else if (parsed?.ok === false) report.error(path, `${file} ${parsed.error}`);
  return parsed?.ok === true ? parsed.value : undefined;
}

function parseCertificate(content: Buffer): Result<X509Certificate, string> {
  try {
    return ok(new X509Certificate(content));
  } catch {
    return err('is not a PEM certificate: it must contain BEGIN CERTIFICATE');
  }
}

/** The error continues a sentence that starts with the name of the file. */
function parseKey(content: Buffer): Result<KeyObject, string> {
  const text = content.toString('latin1');
  try {
    return ok(createPrivateKey({ key: content, format: 'pem' }));
  } catch {
    if (/BEGIN (?:RSA )?PUBLIC KEY/.test(text))
      return err('is a public key: the private key is needed (BEGIN PRIVATE KEY)');
    if (text.includes('ENCRYPTED'))
      return err('is encrypted with a passphrase: remove it with "openssl pkey -in FILE -out FILE.plain"');
    if (text.includes('BEGIN CERTIFICATE')) return err('is a certificate: the private key is needed');
    return err('is not a PEM private key: it must contain BEGIN PRIVATE KEY');
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this user (check owner and mode)',
  EPERM: 'may not be read by this user (check owner and mode)',
  EISDIR: 'is a directory',
  ELOOP: 'is a loop of symbolic links',
};

/** Why a file could not be read, as the end of a sentence. */
export function reasonOf(error: unknown): string {
  const { code = '' } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? `cannot be read (${code === '' ? String(error) : code})`;
}

async function read(file: string): Promise<Result<Buffer, string>> {
  try {
    const info = await stat(file);
    // A pipe or a device would block or never end.
    if (!info.isFile()) return err(`${file} is ${info.isDirectory() ? 'a directory' : 'not a regular file'}`);
    if (info.size > MAX_FILE_BYTES) return err(`${file} is larger than 1 MB, so it is not what belongs here`);
    return ok(await readFile(file, { signal: AbortSignal.timeout(READ_TIMEOUT_MS) }));
  } catch (error) {
    return err(`${file} ${reasonOf(error)}`);
  }
}
