import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../../src/cli/program.ts';
import { createPaper } from './paper.ts';

test('check-config refuses a key of the return paths that serve would refuse, and makes none', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'pr-check-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'postrider.yaml');
  writeFileSync(file, 'hostname: mta1.example.com\nsecret_file: secret\n');
  const check = async (key: string): Promise<[number, string]> => {
    writeFileSync(join(directory, 'secret'), key);
    const paper = createPaper();
    return [await run(['check-config', '-c', file], paper), paper.printed.out];
  };
  const [code, out] = await check('no key\n');
  assert.equal(code, 2);
  assert.match(out, /secret_file .*secret:1: expected at least 32 hexadecimal digits/);
  assert.equal((await check(`${'ab'.repeat(32)}\n`))[0], 0);
});
