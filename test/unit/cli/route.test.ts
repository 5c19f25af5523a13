import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { stringify } from 'yaml';
import { run } from '../../../src/cli/program.ts';

const SETTINGS = {
  hostname: 'mta.test',
  nodes: [{ name: 'n1', address: '127.0.0.2', hostname: 'n1.test' }],
  senders: ['promo', 'news'].map((name) => ({ name, nodes: [{ node: 'n1' }] })),
  virtual_senders: [
    {
      name: 'main',
      rules: [
        { when: { group: 'vip' }, senders: [{ sender: 'news', percent: 100 }] },
        {
          when: 'default',
          senders: [
            { sender: 'promo', percent: 70 },
            { sender: 'news', percent: 30 },
          ],
        },
      ],
    },
  ],
};

/** Runs the command on a file of recipients. */
async function route(t: TestContext, csv: string, ...args: readonly string[]) {
  const dir = mkdtempSync(join(tmpdir(), 'postrider-route-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const [config, file] = [join(dir, 'postrider.yaml'), join(dir, 'recipients.csv')];
  writeFileSync(config, stringify(SETTINGS));
  writeFileSync(file, csv);
  const [out, errors]: [string[], string[]] = [[], []];
  const code = await run(['route', '-c', config, '--file', file, ...args], {
    out: (text) => Promise.resolve(void out.push(String(text))),
    err: (text) => void errors.push(text),
    columns: undefined,
    colour: false,
    env: {},
    now: () => 0,
    stdin: async function* () {
      // Nothing is read.
    },
    interrupted: () => new AbortController().signal,
  });
  return { code, out: out.join(''), err: errors.join('') };
}

test('the split of a file is exact, by rule and sender', async (t) => {
  const lines = Array.from({ length: 100 }, (_, i) => `r${i}@a.test,${i % 10 === 0 ? 'vip' : ''}`);
  const { code, out } = await route(t, `\ufeffEmail,Group\n${lines.join('\n')}\n`, '--json');
  assert.equal(code, 0, out);
  const { total, rows } = JSON.parse(out) as {
    total: number;
    rows: { rule: number; sender: string; count: number }[];
  };
  assert.equal(total, 100);
  assert.deepEqual(
    rows.map(({ rule, sender, count }) => [rule, sender, count]),
    [
      [1, 'news', 10],
      [2, 'promo', 63],
      [2, 'news', 27],
    ],
  );
});

test('addresses without a header line; bad ones are named with their line', async (t) => {
  const { code, out } = await route(t, 'a@a.test\n\nb@b.test\nnobody\n');
  assert.equal(code, 1);
  assert.match(out, /^2 recipients by main\n/);
  assert.match(out, /line 4: /);
});

test('what cannot be read is said, with exit code 2', async (t) => {
  const { code, err } = await route(t, 'a@a.test\n', '--virtual-sender', 'mian');
  assert.equal(code, 2);
  assert.match(err, /unknown virtual_sender "mian", did you mean "main"\?/);
});
