/** The file of a Unix socket: whose it is before we bind it, and who may use it after. */
import { chmod, lstat, stat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { err, ok, type Result } from '../core/index.ts';

/** sun_path of Linux holds 108 bytes with the NUL; the kernel's own message for a longer one is EINVAL. */
const MAX_PATH_BYTES = 107;
const CONNECT_MS = 2_000;
/** Owner and group may connect. */
export const SOCKET_MODE = 0o660;

type Occupant = 'alive' | 'stale' | 'none' | { readonly code: string };

/** Makes way for a socket: removes the file of a dead process, refuses anything else that is there. */
export async function clearSocketFile(path: string): Promise<Result<void, string>> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    return err(`the socket path ${path} is longer than ${MAX_PATH_BYTES} bytes: choose a shorter one`);
  const directory = dirname(path);
  // Asked here because libuv reports a missing directory as EACCES.
  const inside = await stat(directory).catch(() => undefined);
  if (!inside) return err(`the directory ${directory} does not exist: create it`);
  if (!inside.isDirectory()) return err(`${directory} is not a directory`);
  const stats = await lstat(path).catch(() => undefined);
  if (stats && !stats.isSocket())
    return err(`${path} exists and is not a socket: remove it or choose another path`);
  if (!stats) return ok(undefined);
  const occupant = await probe(path);
  if (occupant === 'alive') return err(`another process answers on ${path}: is postrider running already?`);
  if (typeof occupant === 'object')
    return err(`${path} cannot be tested (${occupant.code}): remove it if it is stale`);
  if (occupant === 'stale') await unlink(path).catch(() => undefined);
  return ok(undefined);
}

function probe(path: string): Promise<Occupant> {
  return new Promise((resolve) => {
    const socket = connect({ path, timeout: CONNECT_MS });
    const end = (occupant: Occupant): void => {
      socket.destroy();
      resolve(occupant);
    };
    socket.once('connect', () => end('alive'));
    // A full backlog: somebody holds it, even if he does not answer.
    socket.once('timeout', () => end('alive'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') end('stale');
      else if (error.code === 'ENOENT') end('none');
      else end({ code: error.code ?? error.message });
    });
  });
}

/** The umask only takes rights away before this runs, so nobody gets in who should not. */
export const openToGroup = (path: string): Promise<void> => chmod(path, SOCKET_MODE);

const SENTENCES: Readonly<Record<string, (where: string) => string>> = {
  EADDRINUSE: (where) => `${where} is in use by another process`,
  EADDRNOTAVAIL: (where) => `the address of ${where} is not on this machine`,
  EACCES: (where) => `no permission to listen on ${where}`,
  EPERM: (where) => `no permission to listen on ${where}`,
  EROFS: (where) => `${dirname(where)} is on a read-only file system`,
  ENOTFOUND: (where) => `the host name of ${where} is not known`,
};

/** Why listening failed, as a sentence. */
export function listenProblem(error: unknown, where: string): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return SENTENCES[code ?? '']?.(where) ?? `cannot listen on ${where}: ${message}`;
}
