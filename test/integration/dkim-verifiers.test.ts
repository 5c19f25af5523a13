/**
 * Our signatures before verifiers that share no code with us: libopendkim (`opendkim -t` with keys from a file) and
 * dkimpy (Debian package python3-dkim). Both check RSA and Ed25519 on every odd message.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { signMessageSync } from '../../src/mta/dkim/index.ts';
import { makeKeys, oddMessages } from '../unit/dkim/odd-messages.ts';

const keys = makeKeys();
const now = Date.now();
const directory = mkdtempSync(join(tmpdir(), 'dkim-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const signed = Object.entries(oddMessages).map(([name, content]) => {
  const fields = signMessageSync(content, [keys.rsa, keys.ed25519], { now });
  return { name, message: Buffer.concat([fields, content]) };
});

/** Skips with a reason, except in CI, where a missing program is a failure. */
function available(t: TestContext, what: string, works: boolean): boolean {
  if (works) return true;
  assert.ok(!process.env['CI'], `${what} is needed in CI`);
  t.skip(`${what} is not installed`);
  return false;
}

const runs = (program: string, ...args: readonly string[]): boolean =>
  spawnSync(program, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;

describe('opendkim', () => {
  const OPENDKIM = '/usr/sbin/opendkim';
  const installed = runs(OPENDKIM, '-V');
  const config = join(directory, 'opendkim.conf');
  const records = [...keys.records].map(([name, text]) => `${name} ${text}\n`).join('');
  writeFileSync(join(directory, 'keys'), records);
  writeFileSync(config, `Mode v\nTestPublicKeys ${join(directory, 'keys')}\n`);

  for (const { name, message } of signed)
    test(`verifies ${name}`, (t) => {
      if (!available(t, 'opendkim', installed)) return;
      const file = join(directory, 'message');
      // As on the wire: it ignores a last line without CRLF, which DATA can not have.
      const complete = message.at(-1) === 10 ? message : Buffer.concat([message, Buffer.from('\r\n')]);
      writeFileSync(file, complete);
      const run = spawnSync(OPENDKIM, ['-x', config, '-t', file, '-v', '-v'], {
        encoding: 'latin1',
        timeout: 20_000,
      });
      const verdicts = [...run.stdout.matchAll(/dkim=(\w+)[^;]*header\.a=([\w-]+)/g)].map(
        (m) => `${m[2]} ${m[1]}`,
      );
      assert.deepEqual(verdicts, ['rsa-sha256 pass', 'ed25519-sha256 pass'], run.stdout + run.stderr);
    });

  test('refuses a changed message', (t) => {
    if (!available(t, 'opendkim', installed)) return;
    const file = join(directory, 'changed');
    writeFileSync(file, signed[0]!.message.toString('latin1').replace('Hello', 'Hallo'), 'latin1');
    const run = spawnSync(OPENDKIM, ['-x', config, '-t', file, '-v', '-v'], {
      encoding: 'latin1',
      timeout: 20_000,
    });
    assert.match(run.stdout, /dkim=fail/);
    assert.doesNotMatch(run.stdout, /dkim=pass/);
  });
});

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

describe('dkimpy', () => {
  const PYTHON = '/usr/bin/python3';
  const verify = (messages: readonly Buffer[]): unknown => {
    const input = JSON.stringify({
      records: [...keys.records],
      messages: messages.map((message) => message.toString('base64')),
    });
    return JSON.parse(execFileSync(PYTHON, ['-c', VERIFY], { input, encoding: 'utf8', timeout: 60_000 }));
  };
  const installed = runs(PYTHON, '-c', 'import dkim, nacl');

  test('verifies every odd message', (t) => {
    if (!available(t, 'python3-dkim', installed)) return;
    const verdicts = verify(signed.map(({ message }) => message)) as readonly (readonly unknown[])[];
    assert.deepEqual(
      signed.map(({ name }, i) => [name, ...verdicts[i]!]),
      signed.map(({ name }) => [name, true, true]),
    );
  });

  test('refuses a changed message', (t) => {
    if (!available(t, 'python3-dkim', installed)) return;
    const changed = Buffer.from(
      signed[0]!.message.toString('latin1').replace('Subject: odd', 'Subject: old'),
      'latin1',
    );
    assert.deepEqual(verify([changed]), [[false, false]]);
  });
});
