/**
 * Makes node_modules match package-lock.json, with one `npm ci` when it does not. What was installed by hand is
 * recognised by npm's own record (node_modules/.package-lock.json), so nothing is installed twice.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { runChild } from '../bin/child.mjs';

const STAMP = '.postrider-lock-hash';

/** Throws with one sentence when the dependencies cannot be had. npm writes to stderr: stdout stays the program's. */
export async function ensureDependencies(root) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  const stamp = join(root, 'node_modules', STAMP);
  if (textOf(stamp) === hash) return;
  if (!isInstalled(root, JSON.parse(lock.toString('utf8')))) await install(root);
  if (!existsSync(join(root, 'node_modules/.bin/node')))
    throw new Error('node_modules/.bin/node is missing: run "npm ci" without --ignore-scripts');
  writeFileSync(stamp, hash);
}

async function install(root) {
  console.error('postrider: installing dependencies (npm ci)');
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const [command, all] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args];
  const status = await runChild(command, all, {
    cwd: root,
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (status !== 0) throw new Error(`npm ci failed with status ${status}`);
}

/** True when every package of the lock file is there in that version, but for optional ones of other platforms. */
function isInstalled(root, lock) {
  const record = textOf(join(root, 'node_modules/.package-lock.json'));
  if (record === undefined) return false;
  const installed = JSON.parse(record).packages ?? {};
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (path === '') return true;
    const found = installed[path];
    if (!found) return wanted.optional === true;
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not there: that is what the caller asks
  }
}
