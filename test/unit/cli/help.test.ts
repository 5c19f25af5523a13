/** What a terminal of 80 columns shows of each command, and what wrong usage is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allOf, treeOf } from '../../../src/cli/command-tree.ts';
import { allCommands, run } from '../../../src/cli/program.ts';
import { createPaper } from './paper.ts';

const tree = treeOf(await allCommands(createPaper()));

async function ran(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const paper = createPaper({ columns: 80 });
  return { code: await run(args, paper), ...paper.printed };
}

test('the help of every command fits into 80 columns, without colours', async () => {
  for (const { path } of allOf(tree)) {
    const { code, out } = await ran(...path, '--help');
    assert.equal(code, 0, path.join(' '));
    assert.deepEqual(
      out.split('\n').filter((line) => line.length > 80),
      [],
      path.join(' '),
    );
    assert.ok(!out.includes('\x1b'), path.join(' '));
  }
});

test('what removes mail has --dry-run and --yes', () => {
  const asking = allOf(tree)
    .filter(({ options }) => {
      const names = options.flatMap((option) => option.names);
      return names.includes('--dry-run') && names.includes('--yes');
    })
    .map(({ path }) => path.join(' '));
  for (const command of ['queue purge', 'queue move', 'queue quarantine remove', 'report quarantine remove'])
    assert.ok(asking.includes(command), command);
});

test('--yes is taken by commands that ask nothing, so that scripts may always give it, and not told of', async () => {
  const { code, out } = await ran('completion', 'bash', '--json', '--yes');
  assert.equal(code, 0);
  const { shell, script } = JSON.parse(out) as { shell: string; script: string };
  assert.equal(shell, 'bash');
  assert.equal(script, (await ran('completion', 'bash')).out);
  const { err } = await ran('node', 'lock', '--yes');
  assert.match(err, /missing required argument 'node'/);
  const told = allOf(tree).filter(({ options }) => options.some(({ names }) => names.includes('--yes')));
  assert.ok(
    told.length > 0 && told.every(({ options }) => options.some(({ names }) => names.includes('--dry-run'))),
  );
});

test('wrong usage is 2, and names what may have been meant', async () => {
  for (const [args, said] of [
    [['stats'], /unknown command 'stats'\n\(Did you mean status\?\)/],
    [['queue', 'lst'], /\(Did you mean list\?\)/],
    [['queue', 'list', '--limt', '3'], /\(Did you mean --limit\?\)/],
    [['node', 'lock'], /missing required argument 'node'/],
    [['queue'], /Usage: postrider queue/],
    [[], /Usage: postrider/],
  ] as const) {
    const { code, err } = await ran(...args);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, said);
  }
});
