#!/usr/bin/env -S node --max-semi-space-size=32
/**
 * The command. Starts the built program; under a Node.js that is too old it starts itself again with the one that
 * the npm package `node` has put next to it, or says what to do. Plain JavaScript that old versions can read.
 *
 * The switch in the first line is the size of V8's young generation in MB, which only the start of a process can set:
 * with V8's own 16, short-lived bytes are taken for long-lived ones and memory peaks higher for nothing.
 */
import { existsSync } from 'node:fs';
import process from 'node:process';
import { URL, fileURLToPath } from 'node:url';
import { runChild } from './child.mjs';

const NEEDED = [22, 19];
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const newEnough = major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1]);
const bundled = at('../node_modules/.bin/node');
const program = new URL('../dist/cli/main.js', import.meta.url);

if (!existsSync(program)) {
  process.stderr.write('postrider is not built: run "npm run build" first\n');
  process.exitCode = 2;
} else if (newEnough) {
  await import(program.href);
} else if (existsSync(bundled) && !process.env.POSTRIDER_RESTARTED) {
  const env = { ...process.env, POSTRIDER_RESTARTED: '1' };
  process.exitCode = await runChild(
    bundled,
    [...process.execArgv, at('./postrider.mjs'), ...process.argv.slice(2)],
    { env },
  );
} else {
  process.stderr.write(
    `postrider needs Node.js ${NEEDED.join('.')} or newer, this is ${process.versions.node}.\n` +
      'Install a newer one from https://nodejs.org, or run "npm ci" in the checkout, which brings its own.\n',
  );
  process.exitCode = 2;
}
