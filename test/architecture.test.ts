/**
 * The map of src, enforced: who may import whom, one door per folder, no cycles (type-only imports count too), no
 * input or output in core. The rules are the tables below; a message names the import, its line and the rule.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, test } from 'node:test';
import ts from 'typescript';

const ROOT = dirname(import.meta.dirname);

/** Layers from the bottom up: a folder may import those of the layers below and its neighbours within its own. */
const LAYERS: readonly (readonly string[])[] = [
  ['core'],
  ['config', 'bounce', 'fbl'],
  ['queue'],
  ['routing'],
  ['mta/message', 'mta/dkim', 'mta/dns', 'mta/tls', 'mta/smtp'],
  ['mta/egress', 'mta/ingress', 'mta/inbound'],
  ['events', 'alerts'],
  ['api', 'dashboard'],
  ['client'],
  ['testbed'],
  ['cli'],
];

/** Beyond the layers: `from` must not import `to`. */
const FORBIDDEN: readonly { readonly from: string; readonly to: string }[] = [
  { from: 'mta/smtp/server', to: 'mta/smtp/client' },
  { from: 'mta/smtp/client', to: 'mta/smtp/server' },
];

/** These folders may import nothing but the folders listed (and themselves). */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  testbed: ['core', 'mta/smtp'],
  client: ['core', 'api'],
};

/** Only these may import the folder. */
const ONLY_BY: Readonly<Record<string, readonly string[]>> = { testbed: ['cli'] };

const NO_IO_IN = 'core';
const IO_MODULES = new Set(
  'child_process cluster dgram dns dns/promises fs fs/promises http http2 https net tls worker_threads'.split(
    ' ',
  ),
);
const MAY_EXIT = 'cli';
const MAX_LINES = 400;

/** Paths below src with `/`, and their text. */
type Sources = ReadonlyMap<string, string>;

interface Import {
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
  /** The file below src that is meant, undefined for a package. */
  readonly target: string | undefined;
}

const FOLDERS = LAYERS.flat();
const isIn = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);
const folderOf = (path: string): string | undefined => FOLDERS.find((folder) => isIn(path, folder));
const layerOf = (folder: string): number => LAYERS.findIndex((layer) => layer.includes(folder));

function importsOf(sources: Sources): Import[] {
  return [...sources].flatMap(([file, text]) =>
    ts.preProcessFile(text, true, true).importedFiles.map(({ fileName, pos }) => ({
      file,
      line: text.slice(0, pos).split('\n').length,
      specifier: fileName,
      target: fileName.startsWith('.') ? posix.join(posix.dirname(file), fileName) : undefined,
    })),
  );
}

const at = ({ file, line, specifier }: Import): string => `src/${file}:${line} imports ${specifier}`;

function layerViolations(sources: Sources): string[] {
  return importsOf(sources).flatMap((one) => {
    if (one.target === undefined) return [];
    const [from, to] = [folderOf(one.file), folderOf(one.target)];
    if (from === undefined || to === undefined || from === to) return [];
    const rule = brokenRule(from, to);
    return rule === undefined ? [] : [`${at(one)}: ${rule}`];
  });
}

function brokenRule(from: string, to: string): string | undefined {
  const by = ONLY_BY[to];
  if (by && !by.includes(from)) return `only ${by.join(', ')} may import ${to}`;
  const only = ONLY[from];
  if (only && !only.includes(to)) return `${from} may import only ${only.join(', ')}`;
  return layerOf(to) > layerOf(from) ? `${from} is a lower layer than ${to}` : undefined;
}

function forbiddenViolations(sources: Sources): string[] {
  return importsOf(sources).flatMap((one) =>
    FORBIDDEN.filter(({ from, to }) => isIn(one.file, from) && isIn(one.target ?? '', to)).map(
      ({ from, to }) => `${at(one)}: ${from} must not import ${to}`,
    ),
  );
}

/** A file may use its own folder and the folders that it lies in; any other folder only through its index.ts. */
function doorViolations(sources: Sources): string[] {
  return importsOf(sources).flatMap((one) => {
    if (one.target === undefined || posix.basename(one.target) === 'index.ts') return [];
    const folder = posix.dirname(one.target);
    return isIn(one.file, folder) ? [] : [`${at(one)}: ${folder} is entered through its index.ts only`];
  });
}

/** Each cycle once, as a path of files. */
function cycles(sources: Sources): string[] {
  const edges = new Map<string, string[]>([...sources.keys()].map((file) => [file, []]));
  for (const { file, target } of importsOf(sources))
    if (target !== undefined && sources.has(target)) edges.get(file)?.push(target);
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file].map((one) => `src/${one}`).join(' -> '));
    if (start >= 0 || done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return found;
}

function ioViolations(sources: Sources): string[] {
  return importsOf(sources)
    .filter(({ file, specifier }) => isIn(file, NO_IO_IN) && IO_MODULES.has(specifier.replace(/^node:/, '')))
    .map((one) => `${at(one)}: ${NO_IO_IN} does no input or output`);
}

function exitViolations(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) =>
    isIn(file, MAY_EXIT)
      ? []
      : text
          .split('\n')
          .flatMap((line, i) =>
            /^(?!\s*(?:\/\/|\*|\/\*)).*\bprocess\s*\??\.\s*exit\s*\(/.test(line)
              ? [`src/${file}:${i + 1} calls process.exit: only src/${MAY_EXIT} ends the process`]
              : [],
          ),
  );
}

function sizeViolations(sources: Sources): string[] {
  return [...sources]
    .map(([file, text]) => ({ file, lines: text.replace(/\n$/, '').split('\n').length }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ file, lines }) => `src/${file} has ${lines} lines: at most ${MAX_LINES}`);
}

function unknownFolders(sources: Sources): string[] {
  return [...sources.keys()]
    .filter((file) => folderOf(file) === undefined)
    .map((file) => `src/${file} lies in no folder of the map: add its folder to the table LAYERS`);
}

function readSources(): Sources {
  const folder = join(ROOT, 'src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.tsx?$/.test(path))
    .sort();
  return new Map(files.map((path) => [path, readFileSync(join(folder, path), 'utf8')]));
}

const RULES: Readonly<Record<string, (sources: Sources) => string[]>> = {
  'every file lies in a folder of the map': unknownFolders,
  'imports point downwards': layerViolations,
  'folders that must not know each other do not': forbiddenViolations,
  'a folder is entered through its door': doorViolations,
  'no cycles between files': cycles,
  'core does no input or output': ioViolations,
  'only the command line ends the process': exitViolations,
  'files are short': sizeViolations,
};

describe('architecture of src', () => {
  const sources = readSources();
  for (const [rule, violations] of Object.entries(RULES))
    test(rule, () => {
      const found = violations(sources);
      assert.ok(found.length === 0, `\n${found.join('\n')}\n`);
    });

  test('every folder has a README.md', () => {
    const used = FOLDERS.filter((folder) => [...sources.keys()].some((file) => isIn(file, folder)));
    const missing = used.filter((folder) => !existsSync(join(ROOT, 'src', folder, 'README.md')));
    assert.ok(missing.length === 0, `missing: ${missing.map((one) => `src/${one}/README.md`).join(', ')}`);
  });
});

describe('the rules notice', () => {
  const cases: readonly (readonly [name: string, files: Record<string, string>, expected: string[]])[] = [
    [
      'an import upwards, type-only and over several lines',
      { 'queue/a.ts': `import x from 'lmdb';\nimport type {\n  Y,\n} from '../mta/egress/index.ts';` },
      ['src/queue/a.ts:4 imports ../mta/egress/index.ts: queue is a lower layer than mta/egress'],
    ],
    [
      'a re-export and a dynamic import upwards',
      {
        'core/a.ts': `export * from '../config/index.ts';`,
        'core/b.ts': `await import('../fbl/index.ts');`,
      },
      [
        'src/core/a.ts:1 imports ../config/index.ts: core is a lower layer than config',
        'src/core/b.ts:1 imports ../fbl/index.ts: core is a lower layer than fbl',
      ],
    ],
    [
      'the test bed in the product, and the product in the test bed',
      {
        'api/a.ts': `import { x } from '../testbed/index.ts';`,
        'testbed/a.ts': `import { x } from '../queue/index.ts';`,
      },
      [
        'src/api/a.ts:1 imports ../testbed/index.ts: only cli may import testbed',
        'src/testbed/a.ts:1 imports ../queue/index.ts: testbed may import only core, mta/smtp',
      ],
    ],
    [
      'server and client that know each other',
      { 'mta/smtp/server/a.ts': `import { x } from '../client/index.ts';` },
      [
        'src/mta/smtp/server/a.ts:1 imports ../client/index.ts: mta/smtp/server must not import mta/smtp/client',
      ],
    ],
    [
      'a door passed by, but not the folders a file lies in',
      {
        'mta/smtp/server/a.ts': `import { x } from '../reply.ts';\nimport { y } from '../../../core/ids.ts';`,
      },
      ['src/mta/smtp/server/a.ts:2 imports ../../../core/ids.ts: core is entered through its index.ts only'],
    ],
    [
      'a cycle of types',
      {
        'core/a.ts': `import type { B } from './b.ts';`,
        'core/b.ts': `import type { C } from './c.ts';`,
        'core/c.ts': `export type { A } from './a.ts';`,
      },
      ['src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts'],
    ],
    [
      'sockets in core, not url',
      { 'core/a.ts': `import net from 'node:net';\nimport { domainToASCII } from 'node:url';\nimport 'fs';` },
      [
        'src/core/a.ts:1 imports node:net: core does no input or output',
        'src/core/a.ts:3 imports fs: core does no input or output',
      ],
    ],
    [
      'an exit outside the command line, not one in a comment',
      {
        'queue/a.ts': `// process.exit() hangs\nif (x) process.exit(1);`,
        'cli/a.ts': `process.exit(1);`,
      },
      ['src/queue/a.ts:2 calls process.exit: only src/cli ends the process'],
    ],
    [
      'a long file',
      { 'core/a.ts': 'let x;\n'.repeat(401), 'core/b.ts': 'let x;\n'.repeat(400) },
      ['src/core/a.ts has 401 lines: at most 400'],
    ],
    [
      'a folder that is not on the map',
      { 'helpers/a.ts': '' },
      ['src/helpers/a.ts lies in no folder of the map: add its folder to the table LAYERS'],
    ],
  ];
  for (const [name, files, expected] of cases)
    test(name, () => {
      const sources: Sources = new Map(Object.entries(files));
      assert.deepEqual(
        Object.values(RULES).flatMap((violations) => violations(sources)),
        expected,
      );
    });
});
