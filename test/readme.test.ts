/**
 * The pages that newcomers read say what is true: configurations parse, commands, options, scripts and API paths
 * exist, links lead somewhere.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { run } from '../src/cli/program.ts';
import { formatProblem, parseConfig } from '../src/config/index.ts';
import { createPaper } from './unit/cli/paper.ts';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const PAGES: ReadonlyMap<string, string> = new Map(
  ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].map((page) => [page, read(page)]),
);
const readme = PAGES.get('README.md')!;

/** Fenced blocks of a language. */
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1]!);

/** Lines of shell blocks, continuations joined and comments cut, and what stands in backticks in the text. */
function code(text: string): string[] {
  const shell = blocks(text, 'sh').flatMap((block) => block.replaceAll('\\\n', ' ').split(/\n|&&/));
  const prose = text.replaceAll(/^```.*?^```/gms, '');
  const inline = [...prose.matchAll(/`([^`]+)`/g)].map((match) => match[1]!.replaceAll('\n', ' '));
  return [...shell.map((line) => line.replace(/\s#.*$/, '')), ...inline].map((line) => line.trim());
}

/** The words behind `postrider` of every command line in a text. */
const commandLines = (text: string): string[][] =>
  code(text).flatMap((line) => {
    const match = /^(?:sudo (?:-u \w+ )?|npx )*postrider +(.+)$/.exec(line);
    return match ? [match[1]!.split(/ +/)] : [];
  });

/** What is wrong with a command line; undefined when the program has the command and its options. */
async function commandProblem(words: readonly string[]): Promise<string | undefined> {
  const bare = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
  let names = words.slice(0, bare < 0 ? words.length : bare).slice(0, 2);
  let help = await helpOf(names.slice(0, 1));
  if (!help.startsWith(`Usage: postrider ${names[0]} `)) return `there is no command ${words.join(' ')}`;
  if (help.includes('[command]')) {
    help = await helpOf(names);
    if (!help.startsWith(`Usage: postrider ${names.join(' ')} `))
      return `there is no command ${words.join(' ')}`;
  } else names = names.slice(0, 1);
  const options = words.slice(names.length).flatMap((word) => /^--?[a-z][a-z-]*/.exec(word) ?? []);
  const unknown = options.filter((option) => !new RegExp(`(^|\\s)${option}[ ,\n]`, 'm').test(help));
  return unknown.length > 0 ? `${names.join(' ')} has no ${unknown.join(', ')}` : undefined;
}

async function helpOf(names: readonly string[]): Promise<string> {
  const paper = createPaper();
  await run([...names, '--help'], paper);
  return paper.printed.out;
}

/** `METHOD /path` of every route of the API. */
function routes(): Set<string> {
  const folder = join(ROOT, 'src/api');
  const found = new Set<string>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts')))
    for (const [, method, path] of readFileSync(join(folder, file), 'utf8').matchAll(
      /\bapp\.(get|post)\b[^(]*\('([^']+)'/g,
    ))
      found.add(`${method!.toUpperCase()} ${path}`);
  return found;
}

const linksOf = (text: string): string[] =>
  [...text.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1]!).filter((link) => !/^[a-z]+:/.test(link));

/** The anchors that headings make. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );

function linkProblem(page: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : path;
  if (!existsSync(join(ROOT, target))) return `${page} links to ${target}, which does not exist`;
  if (anchor === undefined || anchorsOf(read(target)).includes(anchor)) return undefined;
  return `${page} links to ${link}, and ${target} has no such heading`;
}

describe('the pages that newcomers read', () => {
  test('every configuration in the README parses without errors and warnings', () => {
    const configurations = blocks(readme, 'yaml');
    assert.ok(configurations.length >= 2);
    for (const text of configurations) {
      const parsed = parseConfig(text, { file: 'README.md' });
      assert.deepEqual(parsed.ok ? parsed.value.warnings : parsed.error.map(formatProblem), [], text);
    }
  });

  test('the smallest configuration has ten lines at most', () => {
    assert.ok(blocks(readme, 'yaml')[0]!.trimEnd().split('\n').length <= 10);
  });

  for (const [page, text] of PAGES)
    test(`${page}: commands and their options exist`, async () => {
      const problems = await Promise.all(commandLines(text).map(commandProblem));
      assert.deepEqual(
        problems.filter((problem) => problem !== undefined),
        [],
      );
    });

  test('the README names every command', () => {
    const named = new Set(commandLines(readme).map(([name]) => name));
    for (const name of ['init', 'serve', 'check-config', 'status', 'queue', 'message', 'events', 'node'])
      assert.ok(named.has(name), name);
    for (const name of ['reload', 'inject', 'dkim', 'sink', 'source']) assert.ok(named.has(name), name);
  });

  test('npm scripts exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const [page, text] of PAGES)
      for (const line of code(text)) {
        const script = /^npm (?:run )?([a-z]+)/.exec(line)?.[1];
        if (script !== undefined && script !== 'ci')
          assert.ok(Object.hasOwn(scripts, script), `${page}: ${line}`);
      }
  });

  test('the README names every path of the API, and none that does not exist', () => {
    const named = code(readme).flatMap((line) => /^(?:GET|POST) \/[^\s?]*/.exec(line)?.[0] ?? []);
    const known = routes();
    known.delete('GET /');
    assert.deepEqual([...new Set(named)].sort(), [...known].sort());
  });

  for (const [page, text] of PAGES)
    test(`${page}: links lead to files and headings`, () => {
      const problems = linksOf(text).map((link) => linkProblem(page, link));
      assert.deepEqual(
        problems.filter((problem) => problem !== undefined),
        [],
      );
    });

  test('every folder of src with a README is on the map', () => {
    const folders = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => /^(?:mta\/)?[a-z]+\/README\.md$/.test(path))
      .sort();
    const linked = linksOf(readme).filter((link) => link.startsWith('src/'));
    assert.deepEqual(
      linked.sort(),
      folders.map((path) => `src/${path}`),
    );
  });

  test('the place of the measured figures is marked', () => {
    assert.match(readme, /^<!-- bench:start -->\n[^]*\n<!-- bench:end -->$/m);
  });
});

describe('these tests notice', () => {
  test('a command, a second word and an option that do not exist', async () => {
    const text =
      '`postrider stats`\n```sh\nsudo npx postrider queue lst # x\npostrider inject m.eml \\\n  --form a@b.test\n```\n';
    const problems = await Promise.all(commandLines(text).map(commandProblem));
    assert.deepEqual(problems.sort(), [
      'inject has no --form',
      'there is no command queue lst',
      'there is no command stats',
    ]);
  });

  test('links to nowhere', () => {
    assert.deepEqual(linksOf('[a](b.md) [c](https://example.com)'), ['b.md']);
    assert.equal(linkProblem('README.md', 'b.md'), 'README.md links to b.md, which does not exist');
    assert.match(linkProblem('README.md', '#no-such')!, /no such heading/);
    assert.equal(linkProblem('README.md', '#security'), undefined);
  });
});
