/**
 * Child processes of the benchmark: the MTAs under test and our own two scripts (generator, receiver), which answer
 * jobs over Node's IPC channel. Whatever is started here is ended when the benchmark ends, in whichever way it ends.
 */
import { type ChildProcess, fork, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { treeOf } from './process-tree.ts';

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 15_000;

const running = new Set<ChildProcess>();

/** Last resort, for an exit that did not stop everything in order: nothing of ours may be left behind. */
process.on('exit', () => {
  for (const child of running) killTree(child.pid);
});

function killTree(root: number | undefined): void {
  if (root === undefined) return;
  for (const { pid } of treeOf([root]).reverse()) kill(pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}

/** Starts a program; what it prints goes to the end of the file `log`. */
export function startProgram(command: string, args: readonly string[], log: string): ChildProcess {
  const file = openSync(log, 'a');
  const options: SpawnOptions = { stdio: ['ignore', file, file] };
  const child = registered(spawn(command, args, options));
  closeSync(file);
  return child;
}

/** Waits until a program that was started is ready. Ends it and throws, with its last words, when it is not in time. */
export async function waitUntilReady(
  child: ChildProcess,
  ready: () => boolean | Promise<boolean>,
  log: string,
): Promise<void> {
  try {
    await waitUntil(ready, `${child.spawnfile} does not start`, { deadlineMs: START_DEADLINE_MS, of: child });
  } catch (error) {
    await stopProgram(child);
    const said = readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' / ');
    throw new Error(`${(error as Error).message}; it said: ${said}`, { cause: error });
  }
}

function registered(child: ChildProcess): ChildProcess {
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

const hasEnded = (child: ChildProcess): boolean =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null;

/** Asks the program to end (SIGTERM, or `politely`), and kills its whole tree when it does not in time. */
export async function stopProgram(child: ChildProcess, politely?: () => Promise<void>): Promise<void> {
  const tree = child.pid === undefined ? [] : treeOf([child.pid]);
  if (!hasEnded(child)) {
    const ended = once(child, 'exit');
    if (politely) await politely();
    else child.kill('SIGTERM');
    await Promise.race([ended, delay(STOP_DEADLINE_MS, undefined, { ref: false })]);
  }
  const left = new Set(treeOf(tree.map(({ pid }) => pid)).map(({ pid, startedAt }) => `${pid} ${startedAt}`));
  for (const { pid, startedAt } of tree) if (left.has(`${pid} ${startedAt}`)) kill(pid);
}

/** Waits until `condition` holds. Throws with `what` when the deadline passes or the program ends first. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  what: string,
  { deadlineMs, of }: { readonly deadlineMs: number; readonly of?: ChildProcess },
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (of && hasEnded(of)) throw new Error(`${what}: the program has ended`);
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs / 1000} s`);
    await delay(20);
  }
}

/** The jobs a script understands, with what it answers. */
export type Jobs<J> = { readonly [K in keyof J]: { readonly job: object; readonly answer: object } };

type Answered = { readonly answer: object } | { readonly problem: string };

/** A script of ours in a process of its own; one job at a time. */
export class Script<J extends Jobs<J>> {
  readonly #child: ChildProcess;

  constructor(file: URL) {
    this.#child = registered(fork(file, { serialization: 'advanced' }));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Throws what the script could not do, or when it takes longer than `deadlineMs`. */
  async ask<K extends keyof J & string>(
    kind: K,
    job: J[K]['job'],
    deadlineMs: number,
  ): Promise<J[K]['answer']> {
    const abort = new AbortController();
    const answer = once(this.#child, 'message', { signal: abort.signal });
    const ended = once(this.#child, 'exit', { signal: abort.signal }).then(() => 'ended' as const);
    const late = delay(deadlineMs, 'late' as const, { signal: abort.signal });
    for (const promise of [answer, ended, late]) promise.catch(() => undefined); // the two that lose
    this.#child.send({ kind, job });
    const first = await Promise.race([answer, ended, late]);
    abort.abort();
    if (first === 'ended') throw new Error(`${kind}: the process has ended`);
    if (first === 'late') throw new Error(`${kind}: not within ${deadlineMs / 1000} s`);
    const [answered] = first as [Answered];
    if ('problem' in answered) throw new Error(`${kind}: ${answered.problem}`);
    return answered.answer;
  }

  stop(): Promise<void> {
    return stopProgram(this.#child);
  }
}

/** The other end of `Script`: answers the jobs that come; ends with its parent. */
export function answerJobs<J extends Jobs<J>>(handlers: {
  readonly [K in keyof J]: (job: J[K]['job']) => Promise<J[K]['answer']>;
}): void {
  process.on('disconnect', () => process.exit());
  // Ctrl-C at a terminal reaches the whole group; the parent ends us in order.
  process.on('SIGINT', () => undefined);
  process.on('message', ({ kind, job }: { kind: string; job: object }) => {
    const handler = handlers[kind as keyof J];
    const answered: Promise<Answered> = handler(job as J[keyof J]['job']).then(
      (answer) => ({ answer }),
      (error: unknown) => ({ problem: (error as Error).message }),
    );
    void answered.then((message) => process.send!(message));
  });
}
