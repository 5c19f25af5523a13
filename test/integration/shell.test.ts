/** What a shell and man make of the completion and the manual page. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { completionScript } from '../../src/cli/completion.ts';
import { allOf, treeOf } from '../../src/cli/command-tree.ts';
import { allCommands } from '../../src/cli/program.ts';
import { scratch } from '../support/mta.ts';
import { createPaper } from '../unit/cli/paper.ts';

const tree = treeOf(await allCommands(createPaper()));
const missing = (program: string): string | false =>
  existsSync(program) || process.env['CI'] ? false : `${program} is missing`;
const GROFF = '/usr/bin/groff';

test('the commands of the contract are there, each says what it does, and has --json where it answers', () => {
  const paths = allOf(tree).map(({ path }) => path.join(' '));
  const contract =
    `init,check-config,serve,demo,status,top,queue list,queue hold,queue release,queue purge,queue retry,
    queue move,message show,message list,events,explain,node list,node lock,node unlock,node drain,node resume,
    stop-list list,stop-list add,stop-list remove,stop-list import,stop-list export,trace,doctor,dkim generate,
    dkim record,dkim sign,dkim verify,
    bounce classify,report decode,token decode,report bounces,report undelivered,route,audit,backup,compact,reload,audit-log,
    sink,source,completion`.split(/,\s*/);
  assert.deepEqual(
    contract.filter((path) => !paths.includes(path)),
    [],
  );
  const leaves = allOf(tree).filter(({ children }) => children.length === 0);
  const silent = leaves.filter(({ options }) => !options.some(({ names }) => names.includes('--json')));
  assert.deepEqual(silent.map(({ path }) => path.join(' ')).sort(), ['serve']);
  assert.ok(leaves.every(({ text }) => text.length > 0));
});

describe('bash', { skip: missing('/bin/bash') }, () => {
  const complete = (script: string, words: readonly string[], cwd: string): string[] => {
    const array = words.map((word) => `'${word}'`).join(' ');
    const ask = `set -u; source ${script}; complete -p postrider >/dev/null || exit 3
      COMP_WORDS=(${array}); COMP_CWORD=${words.length - 1}; _postrider; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { status, stdout, stderr } = spawnSync('/bin/bash', ['--norc', '-c', ask], {
      encoding: 'utf8',
      cwd,
    });
    assert.equal(`${status} ${stderr}`, '0 ');
    return stdout.trim().split('\n');
  };

  test('completes commands, their commands, options, and files', (t) => {
    const dir = scratch(t);
    const script = join(dir, 'completion.bash');
    writeFileSync(script, completionScript('bash', tree));
    writeFileSync(join(dir, 'mine.yaml'), '');
    assert.deepEqual(complete(script, ['postrider', 'sta'], dir), ['status']);
    assert.deepEqual(complete(script, ['postrider', 'queue', 'h'], dir), ['hold']);
    assert.deepEqual(complete(script, ['postrider', 'queue', 'hold', '--camp'], dir), ['--campaign']);
    assert.deepEqual(complete(script, ['postrider', 'status', '-c', 'mi'], dir), ['mine.yaml']);
    assert.deepEqual(complete(script, ['postrider', 'queue', '--json', 'pur'], dir), ['purge']);
  });
});

const FISH = '/usr/bin/fish';
describe('fish', { skip: missing(FISH) }, () => {
  test('completes commands, their commands and options, each with what it does', (t) => {
    const dir = scratch(t);
    const script = join(dir, 'completion.fish');
    writeFileSync(script, completionScript('fish', tree));
    const complete = (line: string): string[] => {
      const { status, stdout, stderr } = spawnSync(
        FISH,
        ['--no-config', '-c', `source ${script}; complete -C '${line}'`],
        { encoding: 'utf8', cwd: dir, env: { PATH: process.env['PATH'], HOME: dir, XDG_DATA_HOME: dir } },
      );
      assert.equal(`${status} ${stderr}`, '0 ');
      return stdout.trim().split('\n');
    };
    assert.deepEqual(complete('postrider stat'), [
      'status\tis it sending, what is stuck, why, and what to do',
    ]);
    assert.match(complete('postrider queue h').join(), /^hold\tkeep mail from being sent/);
    assert.deepEqual(complete('postrider queue hold --camp'), ['--campaign\tmail of a campaign']);
    assert.deepEqual(complete('postrider node lock --dur').length, 1);
  });
});

const ZSH = '/usr/bin/zsh';
describe('zsh', { skip: missing(ZSH) }, () => {
  test('completes what is typed, as at a terminal', (t) => {
    const dir = scratch(t);
    const script = join(dir, 'completion.zsh');
    writeFileSync(script, completionScript('zsh', tree));
    // zsh completes only where somebody types: it is given a terminal of its own (zpty), words cut short, and Tab.
    const ask = `zmodload zsh/zpty
      zpty shell ${ZSH} -f -i
      zpty -w shell 'autoload -U compinit && compinit -u -D; source ${script}
        postrider() { print -r -- "<<$*>>" }; print REA""DY'
      zpty -r -m shell said '*READY*'
      zpty -w shell $'postrider queue hol\\t --camp\\t spring'
      zpty -r -m shell said '*<<*>>*'
      print -r -- "$said"
      zpty -d shell`;
    const { status, stdout, stderr } = spawnSync(ZSH, ['-f', '-c', ask], {
      encoding: 'utf8',
      cwd: dir,
      timeout: 60_000,
      env: { PATH: process.env['PATH'], HOME: dir, TERM: 'dumb' },
    });
    assert.equal(`${status} ${stderr}`, '0 ');
    assert.match(stdout, /<<queue hold --campaign spring>>/);
  });
});

test('the manual page is rendered without a warning', { skip: missing(GROFF) }, () => {
  const page = join(import.meta.dirname, '../../config/postrider.1');
  const { status, stdout, stderr } = spawnSync(GROFF, ['-man', '-ww', '-Tutf8', '-P-cbou', page], {
    encoding: 'utf8',
  });
  assert.equal(`${status} ${stderr}`, '0 ');
  for (const { path, children } of allOf(tree))
    if (path.length > 0 && children.length === 0)
      assert.ok(stdout.includes(`postrider ${path.join(' ')}`), path.join(' '));
});
