/**
 * One process per data directory. The lock is a Unix socket in it that its holder listens on: the kernel ends a
 * listener with its process, so a lock can outlive its holder only as a name, and whether one is held is asked by
 * connecting. The holder answers with one line of JSON, `{pid, since}`.
 *
 * A dead name is removed only if it still is the one that was tested. Between that look and the removal lies an
 * instant that file names alone cannot close, so starters take turns through a socket in Linux's abstract name space,
 * which the kernel frees with its owner. Where that is missing, or another user sits on it, they go on without.
 *
 * Sockets are reached through /proc/self/fd, because their path may have 107 bytes only (unix(7)); where there is no
 * /proc the plain path is used.
 */
import { once } from 'node:events';
import { closeSync, constants, existsSync, fstatSync, openSync } from 'node:fs';
import { lstat, unlink } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { err, ok, type Result } from '../core/index.ts';

const NAME = 'instance.lock';
const ANSWER_TIMEOUT_MS = 2_000;
const TURN_TIMEOUT_MS = 5_000;
const ATTEMPTS = 5;
const MAX_ANSWER_BYTES = 1_000;

export interface InstanceLock {
  /** Gives the lock back; the socket is gone when it resolves. */
  release(): Promise<void>;
}

export interface LockRefusal {
  /** Process that holds the lock, and since when (ISO 8601), if it said so. */
  readonly pid: number | undefined;
  readonly since: string | undefined;
  /** One line for people. */
  readonly text: string;
}

type Attempt = Result<net.Server, LockRefusal> | 'again';

/** Takes the lock of a directory, or says who has it or why it cannot be taken. Does not keep the process alive. */
export async function lockInstance(dir: string): Promise<Result<InstanceLock, LockRefusal>> {
  let fd: number;
  try {
    fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    return refuse(`the data directory ${dir} ${describe(error)}`);
  }
  const turn = await takeTurn(fd);
  const result = await tryRepeatedly(dir, fd);
  turn?.close();
  if (result.ok) return ok({ release: () => release(result.value, fd) });
  closeSync(fd);
  return result;
}

async function tryRepeatedly(dir: string, fd: number): Promise<Result<net.Server, LockRefusal>> {
  const short = `/proc/self/fd/${fd}`;
  const path = join(existsSync(short) ? short : dir, NAME);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const result = await tryLock(dir, path);
    if (result !== 'again') return result;
  }
  return refuse(`the lock of the data directory ${dir} changed hands ${ATTEMPTS} times; try again`);
}

async function tryLock(dir: string, path: string): Promise<Attempt> {
  const since = new Date().toISOString();
  const server = net.createServer((socket) => answer(socket, since));
  const error = await listen(server, path);
  if (error === undefined) return ok(server.unref());
  if (error.code !== 'EADDRINUSE') return refuse(`the data directory ${dir} ${describe(error)}`);
  const tested = await look(path);
  if (tested === undefined) return 'again';
  if (!tested.isSocket) return refuse(`${join(dir, NAME)} is not a socket; remove it`);
  const found = await ask(path);
  if (found !== 'dead') return refuse(heldBy(dir, found), found);
  if ((await look(path))?.inode !== tested.inode) return 'again';
  const kept = await unlink(path).catch((error: unknown) => error as NodeJS.ErrnoException);
  return kept && kept.code !== 'ENOENT' ? refuse(`the data directory ${dir} ${describe(kept)}`) : 'again';
}

/** libuv removes the name before it stops listening, so the name of a successor is never touched. */
async function release(server: net.Server, fd: number): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  await closed;
  closeSync(fd);
}

function answer(socket: net.Socket, since: string): void {
  socket.unref();
  socket.on('error', () => undefined); // the asker may be gone
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
  socket.end(`${JSON.stringify({ pid: process.pid, since })}\n`, () => socket.destroy());
}

interface Holder {
  readonly pid: number | undefined;
  readonly since: string | undefined;
}

const UNKNOWN: Holder = { pid: undefined, since: undefined };

/** Who listens on the socket; `dead` when nobody does. A holder that is silent for too long is a holder still. */
async function ask(path: string): Promise<Holder | 'dead'> {
  const socket = net.connect(path);
  socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
  let text = '';
  try {
    for await (const chunk of socket.setEncoding('utf8')) {
      text += String(chunk);
      if (text.length > MAX_ANSWER_BYTES) break;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return 'dead';
  } finally {
    socket.destroy();
  }
  return parseHolder(text);
}

function parseHolder(text: string): Holder {
  try {
    const { pid, since } = JSON.parse(text) as { pid?: unknown; since?: unknown };
    return {
      pid: typeof pid === 'number' ? pid : undefined,
      since: typeof since === 'string' ? since : undefined,
    };
  } catch {
    return UNKNOWN;
  }
}

function heldBy(dir: string, { pid, since }: Holder): string {
  const who = pid === undefined ? 'another process, which does not answer' : `process ${pid}`;
  return `the data directory ${dir} is in use by ${who}${since === undefined ? '' : ` since ${since}`}`;
}

const refuse = (text: string, { pid, since }: Holder = UNKNOWN): Result<never, LockRefusal> =>
  err({ pid, since, text });

/** Resolves with the error that keeps the server from listening, or undefined. */
function listen(server: net.Server, path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    server.listen(path, () => {
      server.off('error', resolve);
      server.on('error', () => undefined); // a failed accept (no descriptors left) must not end the process
      resolve(undefined);
    });
  });
}

/** What the name stands for; undefined when it is free. */
async function look(path: string): Promise<{ inode: number; isSocket: boolean } | undefined> {
  try {
    const found = await lstat(path);
    return { inode: found.ino, isSocket: found.isSocket() };
  } catch {
    return undefined;
  }
}

const TROUBLE: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is not a directory',
  EACCES: 'cannot be written to by this user',
  EPERM: 'cannot be written to by this user',
  EROFS: 'is on a file system that is read-only: see dmesg, mend it (fsck) and mount it anew',
  ENAMETOOLONG: 'has a path that is too long for a socket',
};

function describe(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return TROUBLE[code] ?? `cannot be locked: ${message}`;
}

interface Turn {
  close(): void;
}

/** Waits until this process is the only one of this host that tries for the directory; undefined if that fails. */
async function takeTurn(fd: number): Promise<Turn | undefined> {
  if (process.platform !== 'linux') return undefined;
  const { dev, ino } = fstatSync(fd);
  const name = `\0postrider-lock-${dev}-${ino}`;
  const deadline = AbortSignal.timeout(TURN_TIMEOUT_MS);
  while (!deadline.aborted) {
    const waiting = new Set<net.Socket>();
    const server = net.createServer((socket) => waiting.add(socket.on('error', () => undefined)));
    const error = await listen(server, name);
    if (error === undefined) return { close: () => endTurn(server, waiting) };
    if (error.code !== 'EADDRINUSE') return undefined;
    await turnEnded(name, deadline);
  }
  return undefined;
}

/** Those that wait are connected: losing the connection is their sign, whether by this or by the end of the process. */
function endTurn(server: net.Server, waiting: ReadonlySet<net.Socket>): void {
  server.on('connection', (socket) => socket.destroy());
  server.close();
  for (const socket of waiting) socket.destroy();
}

async function turnEnded(name: string, deadline: AbortSignal): Promise<void> {
  const socket = net.connect({ path: name, signal: deadline } as net.IpcNetConnectOpts);
  socket.on('error', () => undefined); // refused: the turn has just ended
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
}
