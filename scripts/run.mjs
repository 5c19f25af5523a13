/**
 * What `npm start`, `npm test` and the others run. Works on a machine with nothing but Node.js 20 and npm: installs the
 * dependencies when they are missing or old, then does everything with the Node.js that came with them.
 *   node scripts/run.mjs build | test | test:crash | check | bench | bench:sim | bench:limits | bench:queue | bench:soak | bench:leak | bench:lookups | bench:reports | bench:dashboards | bench:page | screenshots | generate | format | demo  [arguments]
 * Exit status: 0 good, 1 the answer is no, 2 usage.
 */
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runChild } from '../bin/child.mjs';
import { build, filesUnder } from './build.mjs';
import { ensureDependencies } from './dependencies.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(root, 'node_modules/.bin/node');
const tool = (path) => join(root, 'node_modules', path);
const env = {
  ...process.env,
  PATH: [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter),
  // The tests start the program from its sources some hundred times; reading them again each time was half of it.
  NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node'),
};
const run = (...args) => runChild(node, args, { cwd: root, env });

/** Runs the steps in order until one fails; its status. */
async function inOrder(...steps) {
  for (const step of steps) {
    const status = await step();
    if (status !== 0) return status;
  }
  return 0;
}

const built = () => build(root, node);

/** Arguments with a dash go to `node --test`; the others choose the files whose path contains one of them. */
function runTests(args) {
  const options = args.filter((arg) => arg.startsWith('-'));
  const wanted = args.filter((arg) => !arg.startsWith('-')).map((arg) => arg.replace(/^\.\//, ''));
  const files = filesUnder(join(root, 'test'))
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join('test', path))
    .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)));
  if (files.length === 0) return usage(`no test file matches ${wanted.join(' ')}`);
  return run('--test', '--test-concurrency=2', '--test-reporter=spec', ...options, ...files);
}

const CHECKS = {
  types: () =>
    inOrder(
      () => run(tool('typescript/bin/tsc'), '-p', 'tsconfig.json', '--noEmit'),
      () => run(tool('typescript/bin/tsc'), '-p', 'src/dashboard/page/tsconfig.json', '--noEmit'),
    ),
  lint: () => run(tool('eslint/bin/eslint.js'), '.', '--max-warnings', '0'),
  format: () => run(tool('prettier/bin/prettier.cjs'), '--check', '.'),
  architecture: () => run('--test', '--test-reporter=spec', 'test/architecture.test.ts'),
  generated: () => run('scripts/generate.ts', '--check'),
};

/** Many kills, and power cuts; hours. CRASH_KILLS and CRASH_CUTS in the environment say how many. */
const CRASH = { CRASH_KILLS: '2000', CRASH_QUEUE_KILLS: '200', CRASH_CUTS: '50' };
function runCrashTests(args) {
  for (const [name, value] of Object.entries(CRASH)) env[name] ??= value;
  return runTests(args.length > 0 ? args : ['test/crash/']);
}

/** Two minutes of the test that CI runs for seconds; writes bench/LIMITS.md. */
function runLimits() {
  env.POSTRIDER_LONG = '1';
  return runTests(['mta-speeds-of-three-nodes-and-six-isps']);
}

/** The tests of the status page, which take its pictures on their way. */
function runScreenshots() {
  env.POSTRIDER_SCREENSHOTS = join(root, 'docs');
  return runTests(['integration/status-page']);
}

/** All checks are run, so that one look shows everything that is wrong. */
async function check() {
  const failed = [];
  for (const [name, step] of Object.entries(CHECKS)) {
    console.log(`== ${name}`);
    if ((await step()) !== 0) failed.push(name);
  }
  console.log(failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

function usage(problem) {
  console.error(`${problem}\nusage: node scripts/run.mjs ${Object.keys(VERBS).join('|')} [arguments]`);
  return 2;
}

const VERBS = {
  build: () => built(),
  test: (args) => inOrder(built, () => runTests(args)),
  'test:crash': (args) => inOrder(built, () => runCrashTests(args)),
  check: () => check(),
  bench: (args) => inOrder(built, () => run('bench/run.ts', ...args)),
  'bench:sim': () => run('bench/sim/run.ts'),
  'bench:limits': () => inOrder(built, runLimits),
  'bench:queue': (args) => inOrder(built, () => run('bench/queue/run.ts', ...args)),
  'bench:reports': (args) => inOrder(built, () => run('bench/reports/run.ts', ...args)),
  'bench:soak': (args) => run('bench/soak/run.ts', ...args),
  'bench:leak': (args) => inOrder(built, () => run('bench/leak.ts', ...args)),
  'bench:lookups': (args) => run('bench/lookups.ts', ...args),
  'bench:dashboards': (args) => inOrder(built, () => run('bench/dashboards.ts', ...args)),
  'bench:page': (args) => inOrder(built, () => run('bench/page.ts', ...args)),
  screenshots: () => inOrder(built, runScreenshots),
  generate: (args) => run('scripts/generate.ts', ...args),
  format: () => run(tool('prettier/bin/prettier.cjs'), '--write', '.'),
  demo: (args) => inOrder(built, () => run('bin/postrider.mjs', 'demo', ...args)),
};

async function main([verb = '', ...args]) {
  const step = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (!step) return usage(verb === '' ? 'what shall I run?' : `unknown: ${verb}`);
  if (!existsSync(join(root, 'package-lock.json'))) return usage('package-lock.json is missing');
  try {
    await ensureDependencies(root);
  } catch (error) {
    console.error(`postrider: ${error.message}`);
    return 1;
  }
  return step(args);
}

process.exitCode = await main(process.argv.slice(2));
