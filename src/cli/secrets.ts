/**
 * Secrets come from files. The key file of the return paths holds one key a line, `HEX` or `ID:HEX` (ID is one
 * base32 character); the first signs, all verify, so a key is replaced by putting a new line on top.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AccessToken } from '../api/index.ts';
import type { Config } from '../config/index.ts';
import { err, ok, type Result } from '../core/index.ts';
import { loadKey, KeyRing, type DkimKey } from '../mta/dkim/index.ts';
import type { Sender } from '../mta/egress/index.ts';
import type { InjectionUser } from '../mta/ingress/index.ts';
import { createTokens, type Tokens, type TokenSecret } from '../fbl/index.ts';

const MIN_KEY_BYTES = 16;

/** Reads the key file; makes it with a random key when it does not exist. */
export function loadTokens(file: string): Result<Tokens, string> {
  let text: string;
  try {
    text = readOrCreate(file);
  } catch (error) {
    return err(`secret_file ${file} cannot be read: ${(error as Error).message}`);
  }
  const secrets: TokenSecret[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const match = /^(?:([0-9a-zA-Z]):)?([0-9a-fA-F]+)$/.exec(line.trim());
    const key = Buffer.from(match?.[2] ?? '', 'hex');
    if (!match || key.length < MIN_KEY_BYTES) {
      return err(
        `secret_file ${file}:${i + 1}: expected at least ${MIN_KEY_BYTES * 2} hexadecimal digits, or ID:digits`,
      );
    }
    secrets.push({ id: match[1] ?? String(secrets.length), key });
  }
  if (secrets.length === 0) return err(`secret_file ${file} is empty: remove it to have a new key made`);
  try {
    return ok(createTokens(secrets));
  } catch (error) {
    return err(`secret_file ${file}: ${(error as Error).message}`);
  }
}

function readOrCreate(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(dirname(file), { recursive: true });
  const text = `${randomBytes(32).toString('hex')}\n`;
  // Synced: mail that goes out is signed with it, so it must not be lost with the power.
  writeFileSync(file, text, { mode: 0o600, flag: 'wx', flush: true });
  const dir = openSync(dirname(file), 'r');
  fsyncSync(dir);
  closeSync(dir);
  return text;
}

/** The senders with their DKIM keys. Key files were checked with the configuration; here they are read again. */
export function loadSenders(config: Config): Result<ReadonlyMap<string, Sender>, string[]> {
  const problems: string[] = [];
  const senders = new Map<string, Sender>();
  for (const sender of config.senders) {
    const keys: DkimKey[] = [];
    for (const { domain, selector, keyFile } of sender.dkim) {
      const key = readKey(keyFile, { domain, selector });
      if (key.ok) keys.push(key.value);
      else problems.push(`senders ${sender.name}: dkim key ${keyFile}: ${key.error}`);
    }
    senders.set(sender.name, { config: sender, keys: new KeyRing(keys) });
  }
  return problems.length > 0 ? err(problems) : ok(senders);
}

function readKey(file: string, name: { domain: string; selector: string }): Result<DkimKey, string> {
  try {
    return loadKey(readFileSync(file), name);
  } catch (error) {
    return err((error as Error).message);
  }
}

/** Users of the injection port with their passwords (the first line of each file). */
export function loadUsers(config: Config): Result<ReadonlyMap<string, InjectionUser>, string[]> {
  const problems: string[] = [];
  const users = new Map<string, InjectionUser>();
  for (const { user, passwordFile, senders, accounts } of config.smtp.auth) {
    try {
      const password = readFileSync(passwordFile, 'utf8').split(/\r?\n/)[0]!;
      if (password === '') problems.push(`smtp.auth ${user}: ${passwordFile} is empty`);
      users.set(user, { password, senders, accounts });
    } catch (error) {
      problems.push(`smtp.auth ${user}: ${(error as Error).message}`);
    }
  }
  return problems.length > 0 ? err(problems) : ok(users);
}

/** The tokens of the control API; their files were checked with the configuration. */
export function loadAccessTokens({ control }: Config): AccessToken[] {
  const tokens = control.tokens.map(({ secretFile, ...token }) => ({
    ...token,
    secret: secretOf(secretFile),
  }));
  if (control.tokenFile === null) return tokens;
  const secret = secretOf(control.tokenFile);
  return [
    ...tokens,
    { name: 'control.token_file', secret, scopes: ['admin'], accounts: [], senders: [], rate: null },
  ];
}

const secretOf = (file: string): string => readFileSync(file, 'utf8').trim();
