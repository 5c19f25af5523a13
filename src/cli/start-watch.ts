/** Says in the log what a start waits for: with a disk that takes seconds for each sync it would else be silent. */
import type { Logger } from 'pino';
import { formatDuration } from '../core/index.ts';
import type { CommitTimes } from '../queue/index.ts';

const LOOK_MS = 500;
/** What takes so long is told. */
const TOLD_MS = 2_000;
const REMEDY = 'see what keeps it busy, or whether it fails (iostat -x 1, dmesg)';

export interface StartWatchOptions {
  readonly commitTimes: Pick<CommitTimes, 'underWayMs'>;
  readonly log: Pick<Logger, 'warn'>;
}

/** Gives what ends it. One line for each commit that takes long, while it does. */
export function watchStart({ commitTimes, log }: StartWatchOptions): () => void {
  let told = false;
  const timer = setInterval(() => {
    const { underWayMs: ms } = commitTimes;
    if (ms < TOLD_MS) told = false;
    else if (!told) {
      told = true;
      log.warn(
        { ms: Math.round(ms) },
        `the start waits for the disk of data_dir, which has been writing for ${formatDuration(ms)}; ${REMEDY}`,
      );
    }
  }, LOOK_MS);
  return () => clearInterval(timer);
}

/** The same for what holds up the whole program, and so can be told only afterwards. */
export function tellLongOpening(log: Pick<Logger, 'warn'>, ms: number): void {
  if (ms >= TOLD_MS)
    log.warn(
      { ms: Math.round(ms) },
      `the disk of data_dir took ${formatDuration(ms)} to open the store; ${REMEDY}`,
    );
}
