/** DKIM verifiers by others, asked with keys from memory: what each says of both signatures of a message. */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';

/** TXT texts by DNS name. */
export type Records = ReadonlyMap<string, string>;

const OPENDKIM = '/usr/sbin/opendkim';
const PYTHON = '/usr/bin/python3';
const DEADLINE_MS = 60_000;

const runs = (program: string, ...args: readonly string[]): boolean =>
  spawnSync(program, args, { stdio: 'ignore', timeout: DEADLINE_MS }).status === 0;
export const hasOpendkim = (): boolean => runs(OPENDKIM, '-V');
export const hasDkimpy = (): boolean => runs(PYTHON, '-c', 'import dkim, nacl');

/** `rsa-sha256 pass`, `ed25519-sha256 pass`. */
export function opendkim(message: Buffer, records: Records, directory: string): string[] {
  const [keys, config, file] = ['keys', 'opendkim.conf', 'message'].map((name) => join(directory, name));
  writeFileSync(keys!, [...records].map(([name, text]) => `${name} ${text}\n`).join(''));
  writeFileSync(config!, `Mode v\nTestPublicKeys ${keys}\n`);
  // It ignores a last line without CRLF, which only BDAT can bring.
  writeFileSync(file!, message.at(-1) === 10 ? message : Buffer.concat([message, Buffer.from('\r\n')]));
  const args = ['-x', config!, '-t', file!, '-v', '-v'];
  const { stdout } = spawnSync(OPENDKIM, args, { encoding: 'latin1', timeout: DEADLINE_MS });
  return [...stdout.matchAll(/dkim=(\w+)[^;]*header\.a=([\w-]+)/g)].map(
    ([, result, name]) => `${name} ${result}`,
  );
}

const VERIFY = `
import base64, dkim, json, sys
given = json.load(sys.stdin)
records = {name + '.': text.encode() for name, text in given['records']}
def verify(message, index):
    try:
        found = dkim.DKIM(message, minkey=1024)
        return bool(found.verify(idx=index, dnsfunc=lambda name, timeout=5: records[name.decode()]))
    except dkim.DKIMException as error:
        return str(error)
print(json.dumps([[verify(base64.b64decode(m), i) for i in (0, 1)] for m in given['messages']]))
`;

/** True for each good signature, else the error. */
export function dkimpy(messages: readonly Buffer[], records: Records): unknown[][] {
  const input = JSON.stringify({
    records: [...records],
    messages: messages.map((message) => message.toString('base64')),
  });
  const options = { input, encoding: 'utf8', timeout: DEADLINE_MS } as const;
  return JSON.parse(execFileSync(PYTHON, ['-c', VERIFY], options)) as unknown[][];
}

export async function mailauth(message: Buffer, records: Records): Promise<string[]> {
  const resolver = (name: string): Promise<string[][]> => Promise.resolve([[records.get(name) ?? '']]);
  const { results } = await dkimVerify(message, { resolver });
  return results.map(({ status }) => `${status.result}${status.comment ? ` (${status.comment})` : ''}`);
}
