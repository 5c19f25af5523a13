/** Commands that explain what came back: a reply, a report, a return path. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { run } from '../../../src/cli/program.ts';
import { loadTokens } from '../../../src/cli/secrets.ts';
import { deliveryIdOf } from '../../../src/core/index.ts';
import { createPaper } from './paper.ts';

async function postrider(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const paper = createPaper();
  const code = await run(args, paper);
  return { code, ...paper.printed };
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pr-bounce-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

describe('bounce classify', () => {
  test('names the pattern that decides, its own ones first', async (t) => {
    const file = join(await directory(t), 'mta.yaml');
    const own = `bounce_patterns: [{ name: mine, pattern: 'user unknown', category: policy }]`;
    await writeFile(file, `hostname: mta1.example.com\n${own}\n`);
    const shipped = await postrider('bounce', 'classify', '550', '5.1.1', 'User unknown');
    assert.match(
      shipped.out,
      /class +hard \(HB\), permanent\ncategory +bad_mailbox\nbecause +pattern mailbox-unknown/,
    );
    const mine = await postrider('bounce', 'classify', '-c', file, '--json', '550 5.1.1 User unknown');
    const verdict = JSON.parse(mine.out) as Record<string, unknown>;
    assert.equal(verdict['pattern'], 'mine');
    assert.equal(verdict['from'], 'configuration');
    assert.equal(verdict['class'], 'block');
  });

  test('counts a file of replies', async (t) => {
    const file = join(await directory(t), 'replies');
    await writeFile(file, '550 User unknown\n552 5.2.2 mailbox full\n\n452 4.2.2 over quota\n');
    const { code, out } = await postrider('bounce', 'classify', '--file', file, '--json');
    assert.equal(code, 0);
    const { counts } = JSON.parse(out) as { counts: unknown };
    assert.deepEqual(counts, { 'soft mailbox_full': 2, 'hard bad_mailbox': 1 });
  });

  test('wants a reply, and a file that can be read', async () => {
    assert.equal((await postrider('bounce', 'classify')).code, 2);
    assert.equal((await postrider('bounce', 'classify', '--file', '/nonexistent')).code, 2);
  });
});

describe('report decode', () => {
  test('reads a bounce, and says no to other mail', async (t) => {
    const file = join(await directory(t), 'mail');
    await writeFile(
      file,
      'From: MAILER-DAEMON@mx.example.net\nSubject: failure notice\n\n<a@b.example>:\n550 5.1.1 User unknown\n',
    );
    const bounce = await postrider('report', 'decode', file);
    assert.equal(bounce.code, 0);
    assert.match(
      bounce.out,
      /recipient +a@b\.example {2}failed {2}5\.1\.1\n +hard bad_mailbox, pattern mailbox-unknown/,
    );
    await writeFile(file, 'From: anna@example.net\nSubject: Hello\n\nHow are you?\n');
    const other = await postrider('report', 'decode', file, '--json');
    assert.equal(other.code, 1);
    assert.equal((JSON.parse(other.out) as { kind: unknown }).kind, 'other');
  });
});

describe('token decode', () => {
  test('names the delivery of our own token and refuses any other', async (t) => {
    const path = await directory(t);
    const file = join(path, 'mta.yaml');
    await writeFile(file, `hostname: mta1.example.com\nsecret_file: ${join(path, 'secret')}\n`);
    assert.equal((await postrider('token', 'decode', '-c', file, 'b+x@b.example')).code, 2);
    const tokens = loadTokens(join(path, 'secret'));
    assert.ok(tokens.ok);
    const delivery = deliveryIdOf(123_456_789_012, 3);
    const address = tokens.value.returnPath(delivery, 'bounce.example.com');
    const good = await postrider('token', 'decode', '-c', file, `<${address.toUpperCase()}>`);
    assert.equal(good.code, 0, good.err);
    assert.ok(good.out.includes(delivery));
    const forged = await postrider('token', 'decode', '-c', file, address.replace('bounce.', 'bounces.'));
    assert.equal(forged.code, 1);
    assert.match(forged.err, /not ours/);
  });
});
