/**
 * src -> dist: TypeScript by tsc, the status page by a bundler, everything else but documentation copied. Does nothing
 * when dist is up to date.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { runChild } from '../bin/child.mjs';

const INPUTS = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

const PAGE = 'dashboard/page/';

/** 0 when dist is up to date, 1 when the sources do not compile. */
export async function build(root, node) {
  const sources = filesUnder(join(root, 'src'));
  const dist = join(root, 'dist');
  const stamp = join(dist, '.build.json');
  const now = describe(root, sources);
  const before = read(stamp);
  if (before?.digest === now.digest) return 0;
  // tsc leaves the output of files that are gone; what is not in src must not be in dist.
  if (!before || before.sources.some((path) => !now.sources.includes(path)))
    rmSync(dist, { recursive: true, force: true });
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const status = await runChild(node, [tsc, '-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (status !== 0) return 1;
  await buildPage(root);
  for (const path of sources)
    if (!/\.(ts|md)$/.test(path) && !path.startsWith(PAGE)) copy(join(root, 'src'), dist, path);
  writeFileSync(stamp, JSON.stringify(now));
  return 0;
}

/** All that the page needs, in a few files beside the code that serves them. */
async function buildPage(root) {
  const from = join(root, 'src', PAGE);
  const to = join(root, 'dist/dashboard/assets');
  // Not at the top: this file is loaded before the dependencies are there.
  const { build: bundle } = await import('esbuild');
  await bundle({
    entryPoints: [join(from, 'main.tsx'), join(from, 'style.css')],
    outdir: to,
    bundle: true,
    minify: true,
    target: ['chrome110', 'firefox115', 'safari16'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'warning',
  });
  for (const path of ['index.html', 'icon.svg']) copy(from, to, path);
}

function describe(root, sources) {
  const hash = createHash('sha256');
  for (const path of [...INPUTS, ...sources.map((source) => join('src', source))]) {
    const { size, mtimeMs } = statSync(join(root, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return { digest: hash.digest('hex'), sources };
}

/** Paths of all files below a folder, relative to it, sorted. */
export function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort();
}

function copy(from, to, path) {
  mkdirSync(dirname(join(to, path)), { recursive: true });
  copyFileSync(join(from, path), join(to, path));
}

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // no build yet, or a broken one: build anew
  }
}
