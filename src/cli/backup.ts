/** `postrider backup DIR`: a consistent copy of the store and the secret, while the server runs or not. */
import { copyFile, open, rename, rm } from 'node:fs/promises';
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { backupStore, STORE_FILE } from '../queue/index.ts';
import { fail } from './connection.ts';
import { type ExitCode, exitingWith, type Io } from './io.ts';
import { dataDirOf, secretFileOf, type StoreOptions, withStore } from './store-options.ts';
import { auditInChild } from './walk.ts';

const SECRET = 'secret';
const WORK_DIR = 'postrider-backup.partial';

export const backupCommand = (io: Io): Command =>
  withStore(
    new Command('backup')
      .description('copy the store, consistent, also while the server runs')
      .argument('<dir>', 'directory for the copy; it must not have a store yet'),
  ).action(exitingWith((dir: string, options: StoreOptions) => backup(io, resolve(dir), options)));

async function backup(io: Io, target: string, options: StoreOptions): Promise<ExitCode> {
  const dataDir = await dataDirOf(options);
  const secret = await secretFileOf(options);
  const no = (message: string): Promise<ExitCode> =>
    fail(io, options, { exitCode: 1, code: 'backup', message, lines: [] });
  let file: string;
  try {
    file = await copied(dataDir, secret, target);
  } catch (error) {
    return no((error as Error).message);
  }
  const audited = await auditInChild(target);
  if (!audited.ok) return no(`the copy was made, but its audit failed: ${audited.error}`);
  const { clean, totals, last_seq: seq, violation_count: violations } = audited.value;
  const bytes = statSync(file).size;
  const told = { file, bytes, clean, last_seq: seq, queued: totals.queued, violation_count: violations };
  await io.out(
    options.json
      ? `${JSON.stringify(told, undefined, 2)}\n`
      : `${file}: ${bytes} bytes, ${totals.queued} queued, to event ${seq}; the audit is ${clean ? 'clean' : `not clean (${violations})`}\n` +
          'To restore: stop the server, put the files of this directory into an empty data_dir, start.\n' +
          (secret === join(dataDir, SECRET)
            ? ''
            : `Its file secret is a copy of ${secret}: put it there.\n`) +
          'What was sent after the copy was made is sent again then.\n',
  );
  return clean ? 0 : 1;
}

/** The store gets its name last, when all of the copy is on the disk: what was cut off is no store. */
async function copied(dataDir: string, secret: string, target: string): Promise<string> {
  const file = join(target, STORE_FILE);
  if (existsSync(file)) throw new Error(`${file} exists; name a directory without a store`);
  const work = join(target, WORK_DIR);
  await rm(work, { recursive: true, force: true });
  try {
    const store = await backupStore(dataDir, work);
    // Links and return paths of mail that is out are signed with it.
    if (existsSync(secret)) {
      await copyFile(secret, join(target, SECRET));
      await sync(join(target, SECRET));
    }
    await rename(store, file);
    await sync(target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return file;
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync();
  await handle.close();
}
