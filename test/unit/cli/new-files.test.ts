/** Commands that make files: `init` and `dkim generate`. They overwrite nothing and keep secrets to the owner. */
import assert from 'node:assert/strict';
import { createPublicKey, createPrivateKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { starter } from '../../../src/cli/init.ts';
import { run } from '../../../src/cli/program.ts';
import { loadTokens } from '../../../src/cli/secrets.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { createPaper } from './paper.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function postrider(...args: readonly string[]): Promise<Ran> {
  const paper = createPaper();
  const code = await run(args, paper);
  return { code, ...paper.printed };
}

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pr-new-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe('init', () => {
  test('writes a configuration without errors and a secret that works', async (t) => {
    const directory = join(await temporary(t), 'new');
    const file = join(directory, 'mta.yaml');
    const made = await postrider('init', '-c', file);
    assert.equal(made.code, 0, made.err);
    assert.match(made.out, /^ {2}2\. postrider check-config -c .*mta\.yaml$/m);
    const loaded = await loadConfig(file);
    assert.ok(loaded.ok);
    const { config, warnings } = loaded.value;
    assert.deepEqual(warnings, []);
    assert.equal(config.nodes[0]!.address, '127.0.0.1');
    assert.equal(config.dataDir, join(directory, 'data'));
    assert.equal(config.control.socket, join(directory, 'control.sock'));
    assert.equal(config.secretFile, join(directory, 'secret'));
    assert.ok(loadTokens(config.secretFile).ok);
    assert.equal(await modeOf(config.secretFile), 0o600);
  });

  test('the one for the standard place uses the standard directories', async (t) => {
    const directory = await temporary(t);
    await writeFile(join(directory, 'secret'), 'aa');
    await writeFile(join(directory, 'mta.yaml'), starter(true));
    const loaded = await loadConfig(join(directory, 'mta.yaml'));
    assert.ok(loaded.ok);
    assert.equal(loaded.value.config.dataDir, '/var/lib/postrider');
    assert.equal(loaded.value.config.control.socket, '/run/postrider/control.sock');
  });

  test('--json names the files and what comes next', async (t) => {
    const file = join(await temporary(t), 'mta.yaml');
    const made = JSON.parse((await postrider('init', '-c', file, '--json')).out) as Record<string, unknown>;
    assert.equal(made.config_file, file);
    assert.equal((made.next as string[]).at(-1), `postrider serve -c ${file}`);
  });

  test('keeps a configuration that is there, and makes no secret then', async (t) => {
    const directory = await temporary(t);
    const file = join(directory, 'mta.yaml');
    await writeFile(file, 'mine');
    const refused = await postrider('init', '-c', file);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /mta\.yaml exists and is not overwritten/);
    assert.equal(await readFile(file, 'utf8'), 'mine');
    assert.equal(existsSync(join(directory, 'secret')), false);
  });

  test('keeps a secret that is there, and leaves no configuration then', async (t) => {
    const directory = await temporary(t);
    await writeFile(join(directory, 'secret'), 'mine');
    const refused = await postrider('init', '-c', join(directory, 'mta.yaml'), '--json');
    assert.equal(refused.code, 2);
    assert.equal((JSON.parse(refused.out) as { error: { code: string } }).error.code, 'exists');
    assert.equal(await readFile(join(directory, 'secret'), 'utf8'), 'mine');
    assert.equal(existsSync(join(directory, 'mta.yaml')), false);
  });

  test('says why a file cannot be made', async (t) => {
    const directory = await temporary(t);
    await writeFile(join(directory, 'file'), '');
    const refused = await postrider('init', '-c', join(directory, 'file', 'mta.yaml'));
    assert.equal(refused.code, 2);
    assert.match(refused.err, /file\/mta\.yaml: .*(ENOTDIR|EEXIST)|exists/);
  });
});

interface RecordView {
  readonly name: string;
  readonly type: string;
  readonly text: string;
  readonly zone: string;
  readonly algorithm?: string;
}

describe('dkim', () => {
  const name = ['--domain', 'Example.COM', '--selector', 's1'];

  for (const [algorithm, options] of [
    ['rsa', []],
    ['ed25519', ['--algorithm', 'ed25519']],
  ] as const) {
    test(`generate makes an ${algorithm} key that only the owner reads, record prints its record`, async (t) => {
      const file = join(await temporary(t), 'keys', 's1.pem');
      const made = await postrider('dkim', 'generate', ...name, ...options, '--out', file, '--json');
      assert.equal(made.code, 0, made.err);
      const view = JSON.parse(made.out) as RecordView;
      assert.equal(view.algorithm, `${algorithm}-sha256`);
      assert.equal(await modeOf(file), 0o600);
      const key = createPrivateKey(await readFile(file));
      assert.equal(key.asymmetricKeyType, algorithm);

      const { key_file: keyFile, algorithm: _, ...record } = { key_file: '', ...view };
      assert.equal(keyFile, file);
      const printed = await postrider('dkim', 'record', ...name, '--key', file, '--json');
      assert.deepEqual(JSON.parse(printed.out), record);
      assert.equal(record.name, 's1._domainkey.example.com');
      assert.equal(record.type, 'TXT');
      const published = Buffer.from(/p=(\S+)$/.exec(record.text)![1]!, 'base64');
      const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
      assert.ok(der.equals(published) || der.subarray(-published.length).equals(published));
    });
  }

  test('the line for a zone file has strings that fit and give the value', async (t) => {
    const file = join(await temporary(t), 's1.pem');
    const made = await postrider('dkim', 'generate', ...name, '--out', file);
    const shown = await postrider('dkim', 'record', ...name, '--key', file);
    assert.equal(shown.code, 0);
    assert.ok(made.out.endsWith(shown.out), 'both print the same record');
    const value = /^value {2}(.*)$/m.exec(shown.out)![1]!;
    const zone = /^s1\._domainkey\.example\.com\. IN TXT \( (.*) \)$/m.exec(shown.out)![1]!;
    const strings = [...zone.matchAll(/"([^"]*)"/g)].map(([, text]) => text!);
    assert.ok(strings.length > 1 && strings.every((text) => text.length <= 255));
    assert.equal(strings.join(''), value);
  });

  test('generate keeps a file that is there', async (t) => {
    const file = join(await temporary(t), 's1.pem');
    await writeFile(file, 'mine');
    const refused = await postrider('dkim', 'generate', ...name, '--out', file);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /s1\.pem exists and is not overwritten/);
    assert.equal(await readFile(file, 'utf8'), 'mine');
  });

  test('what is wrong is usage', async (t) => {
    const directory = await temporary(t);
    const file = join(directory, 's1.pem');
    const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
      [['generate', '--domain', 'a b', '--selector', 's1', '--out', file], /domain is not a valid host name/],
      [['generate', '--domain', 'a.test', '--selector', '"', '--out', file], /selector is not a valid/],
      [['generate', ...name, '--algorithm', 'dsa', '--out', file], /Allowed choices are rsa, ed25519/],
      [['generate', ...name], /required option '--out <file>' not specified/],
      [['record', ...name, '--key', file], /s1\.pem: ENOENT/],
    ];
    for (const [args, message] of cases) {
      const refused = await postrider('dkim', ...args);
      assert.equal(refused.code, 2, args.join(' '));
      assert.match(refused.err, message);
    }
    assert.equal(existsSync(file), false);
    await mkdir(file);
    assert.equal((await postrider('dkim', 'record', ...name, '--key', file)).code, 2);
  });
});

describe('a bad argument', () => {
  test('that an option takes, or that the action finds, is usage and is told once', async () => {
    for (const args of [
      ['source', '127.0.0.1:1', '--count', 'many'],
      ['source', 'nowhere'],
    ]) {
      const { code, err } = await postrider(...args);
      assert.equal(code, 2);
      assert.match(err, /^error: [^\n]*\n$/);
    }
  });
});
