/**
 * A store with damaged pages ends the process that opens it, and nothing would say why. So a mark lies in the data
 * directory while it is opened: where it lies there still, or the file is shorter than its head says, a child walks the
 * store first, and what ends the child is told.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { lookAtStore, STORE_FILE } from '../queue/index.ts';
import { auditInChild } from './walk.ts';

const MARK = 'opening';
/** So often it is opened all the same where the walk comes through and finds something wrong. */
const TRIES = 2;

export interface CheckOptions {
  readonly log: Logger;
  /** Cuts the walk off; what is said of the store then means nothing. */
  readonly ending?: AbortSignal | undefined;
}

/** Why the store of a data directory should not be opened; undefined where nothing speaks against it. */
export async function whyUnopened(
  dataDir: string,
  { log, ending }: CheckOptions,
): Promise<string | undefined> {
  const file = join(dataDir, STORE_FILE);
  const look = lookAtStore(file);
  const failed = look === 'whole' ? triesOf(dataDir) : 0;
  if (look !== 'short' && failed === 0) return undefined;
  const why =
    failed > 0 ? 'a start ended while it opened the store' : `${file} is shorter than its head says`;
  log.warn(`${why}: the store is walked through before it is opened, which takes a while`);
  const audited = await auditInChild(dataDir, undefined, ending);
  const wayOut = `Put that copy, or a backup, in place of ${dataDir}`;
  if (!audited.ok) return `${audited.error}. ${wayOut}`;
  const { violation_count: count, violations } = audited.value;
  if (failed < TRIES || count === 0) return undefined;
  return `${TRIES} starts ended while they opened it, and its audit names ${count} violations, such as: ${violations[0]?.text}. "postrider salvage DIR" copies what is readable into another directory. ${wayOut}. To try once more remove ${join(dataDir, MARK)}`;
}

/** Starts in a row that ended while they opened the store. */
function triesOf(dataDir: string): number {
  try {
    return readFileSync(join(dataDir, MARK)).length;
  } catch {
    return 0;
  }
}

/** Opens it under the mark, which has one byte for each try. */
export async function underMark<T>(dataDir: string, open: () => Promise<T>): Promise<T> {
  const mark = join(dataDir, MARK);
  try {
    writeFileSync(mark, '.', { flag: 'a' });
  } catch {
    // A disk that is full or read-only: the store says more of that.
  }
  try {
    return await open();
  } finally {
    rmSync(mark, { force: true });
  }
}
