/** `postrider compact`: gives free pages of the store back to the file system; the server must be stopped. */
import { chmodSync, chownSync, renameSync, rmSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { COMPACT_DIR, copyStore, lockInstance, removeCutCompact, STORE_FILE } from '../queue/index.ts';
import { fail } from './connection.ts';
import { type ExitCode, exitingWith, type Io } from './io.ts';
import { dataDirOf, type StoreOptions, withStore } from './store-options.ts';
import { auditInChild } from './walk.ts';

const RIGHTS = 0o7777;

export const compactCommand = (io: Io): Command =>
  withStore(
    new Command('compact').description(
      'make the file of the store as small as its content; stop the server first',
    ),
  ).action(exitingWith((options: StoreOptions) => compact(io, options)));

async function compact(io: Io, options: StoreOptions): Promise<ExitCode> {
  const dataDir = await dataDirOf(options);
  const no = (message: string): Promise<ExitCode> =>
    fail(io, options, { exitCode: 1, code: 'compact', message, lines: [] });
  const lock = await lockInstance(dataDir);
  if (!lock.ok)
    return no(
      `${lock.error.text}; stop it to make the file smaller. While it runs it reuses free pages by itself, so nothing needs to be done`,
    );
  try {
    return await replaced(io, options, dataDir);
  } catch (error) {
    removeCutCompact(dataDir);
    return no((error as Error).message);
  } finally {
    await lock.value.release();
  }
}

/** The copy replaces the store only when its audit is clean; a crash before the rename leaves the store as it was. */
async function replaced(io: Io, options: StoreOptions, dataDir: string): Promise<ExitCode> {
  const work = join(dataDir, COMPACT_DIR);
  removeCutCompact(dataDir);
  const copy = await copyStore(dataDir, work);
  const audited = await auditInChild(work);
  if (!audited.ok) throw new Error(audited.error);
  if (!audited.value.clean)
    throw new Error('the audit of the copy is not clean, so the store stays as it is; see "postrider audit"');
  const file = join(dataDir, STORE_FILE);
  const [old, after] = [statSync(file), statSync(copy).size];
  give(copy, old);
  renameSync(copy, file);
  rmSync(`${file}-lock`, { force: true });
  removeCutCompact(dataDir);
  const before = old.size;
  const told = { file, before, after };
  await io.out(
    options.json ? `${JSON.stringify(told)}\n` : `${file}: ${before} bytes before, ${after} now\n`,
  );
  return 0;
}

/** Another user may run this than the service, which has to open the copy. */
function give(copy: string, { uid, gid, mode }: Stats): void {
  chownSync(copy, uid, gid);
  chmodSync(copy, mode & RIGHTS);
}
