/** How far the heap may grow between two collections. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { growthPercent } from '../../../src/cli/collector.ts';

const MB = 1024 * 1024;
/** The switches are those of one version of V8. */
const OURS = process.versions.node.startsWith('24.');
const COLLECTOR = join(import.meta.dirname, '../../../src/cli/collector.ts');

test('garbage is about as much whatever is in use, between bounds', () => {
  assert.deepEqual(
    [10, 40, 80, 100, 160, 1_000].map((inUse) => growthPercent(inUse * MB)),
    [200, 200, 100, 80, 50, 50],
  );
});

/** Keeps about 100 MB and makes garbage of what was kept; tells the largest heap in MB. */
const FILL = `
  import { boundGarbage } from ${JSON.stringify(COLLECTOR)};
  if (process.argv[1] === 'bound') boundGarbage();
  const block = () => Array.from({ length: 1_000 }, (_, i) => ({ i, text: 'x'.repeat(10) + i, more: [i] }));
  const kept = [];
  let most = 0;
  for (let turn = 0; turn < 50; turn++) {
    for (let i = 0; i < 50; i++) kept[(turn * 50 + i) % 500] = block();
    most = Math.max(most, process.memoryUsage().heapUsed);
    await new Promise(setImmediate);
  }
  console.log(Math.round(most / 2 ** 20));
`;

test('a large heap holds less garbage with it, and Node.js knows each switch', { skip: !OURS }, async () => {
  const mostMb = async (how: string): Promise<number> => {
    const args = ['--input-type=module', '-e', FILL, how];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
    assert.doesNotMatch(stderr, /illegal|unrecognized|unknown/i);
    return Number(stdout);
  };
  const [bound, unbound] = [await mostMb('bound'), await mostMb('unbound')];
  assert.ok(bound < unbound * 0.8, `${bound} MB with it, ${unbound} without`);
});
