/**
 * Runs a child process in our place: same terminal, same environment, signals passed on, its exit status ours.
 * Plain JavaScript for any Node.js from 18 on, because it runs before we know which one is installed.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import process from 'node:process';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** npm repeats what it received, so one Ctrl-C may reach us twice. */
const REPEAT_MS = 1_000;

/** Exit status of the child; 128 + n when signal n ended it; 127 when it could not be started. */
export function runChild(command, args, options = {}) {
  const child = spawn(command, args, { stdio: 'inherit', ...options });
  const stop = forwardSignals(child);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      stop();
      process.stderr.write(`cannot run ${command}: ${error.message}\n`);
      resolve(127);
    });
    child.on('exit', (code, signal) => {
      stop();
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

/** Ctrl-C at a terminal goes to the child without our help: passing it on would make it two. */
function forwardSignals(child) {
  let lastSentAt = -Infinity;
  const forward = (signal) => {
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    const now = Date.now();
    if (signal === 'SIGINT' && now - lastSentAt < REPEAT_MS) return;
    if (signal === 'SIGINT') lastSentAt = now;
    child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return () => {
    for (const signal of FORWARDED) process.off(signal, forward);
  };
}
