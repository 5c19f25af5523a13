/**
 * Every file here is wrong on purpose; the .expected file beside it holds exactly what a person is told. Keys are made
 * at run time in a copy of the directory, so that no private key is committed.
 * After a wanted change of a message: UPDATE_EXPECTED=1 writes the .expected files; read the difference.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { formatProblem, loadConfig } from '../../src/config/index.ts';

const source = import.meta.dirname;
const directory = mkdtempSync(join(tmpdir(), 'bad-config-'));
after(() => rmSync(directory, { recursive: true }));

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });

function writeKeys(): void {
  const keys = join(directory, 'keys');
  mkdirSync(keys);
  const good = rsa(2048);
  const passphrase = randomUUID();
  const files: Readonly<Record<string, string>> = {
    'rsa2048.pem': pem(good.privateKey),
    'rsa512.pem': pem(rsa(512).privateKey),
    'ed25519.pem': pem(generateKeyPairSync('ed25519').privateKey),
    'ec.pem': pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    'public.pem': good.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    'encrypted.pem': good.privateKey
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
      .toString(),
    'garbage.pem': 'this is no key\n',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(keys, name), text);
  writeFileSync(join(directory, 'secret'), 'secret\n');
  writeFileSync(join(directory, 'blank'), '\n');
}

cpSync(source, directory, { recursive: true });
writeKeys();

async function problemsOf(file: string): Promise<string> {
  const result = await loadConfig(join(directory, file));
  if (result.ok) return 'no error\n';
  return result.error.map((problem) => `${formatProblem(problem).replaceAll(`${directory}/`, '')}\n`).join('');
}

describe('every bad configuration is refused with the expected messages', () => {
  const files = readdirSync(source).filter((name) => name.endsWith('.yaml'));

  test('there are enough of them', () => assert.ok(files.length >= 35, `${files.length} files`));

  for (const file of files)
    test(file, async () => {
      const expected = join(source, file.replace('.yaml', '.expected'));
      const problems = await problemsOf(file);
      if (process.env.UPDATE_EXPECTED) writeFileSync(expected, problems);
      assert.notEqual(problems, 'no error\n');
      assert.equal(problems, readFileSync(expected, 'utf8'));
    });
});
