/** The machine a benchmark ran on: what one needs to know to believe, or not to compare, its figures. */
import { closeSync, fdatasyncSync, openSync, readFileSync, statfsSync, statSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly fileSystem: string;
  /** Median time to append 10 KB and sync it. */
  readonly syncMs: number;
  /** Load average of the minute before the start. */
  readonly load: number;
}

/** Magic numbers: statfs(2). */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlayfs',
  0x2fc12fc1: 'zfs',
};
const SYNCS = 200;

/** `dir` is where the queues will be. */
export function describeMachine(dir: string): Machine {
  const { type } = statfsSync(dir);
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: `Linux ${release()}`,
    node: process.version,
    fileSystem: FILE_SYSTEMS[type] ?? `file system 0x${type.toString(16)}`,
    syncMs: medianSyncMs(dir),
    load: loadavg()[0]!,
  };
}

function medianSyncMs(dir: string): number {
  const file = openSync(join(dir, 'sync-probe'), 'a');
  const block = Buffer.alloc(10 * 1024, 'x');
  const times = new Float64Array(SYNCS);
  for (let i = 0; i < SYNCS; i++) {
    const start = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    times[i] = performance.now() - start;
  }
  closeSync(file);
  return times.sort()[SYNCS / 2]!;
}

/** Flushes so far of the disk that a directory is on (field 19 of /proc/diskstats); NaN where that is not counted. */
export function diskFlushes(dir: string): number {
  const { dev } = statSync(dir);
  // glibc: makedev(3); a partition has the counts of its own line.
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  for (const line of readFileSync('/proc/diskstats', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/).map(Number);
    if (fields[0] === major && fields[1] === minor) return fields[18] ?? NaN;
  }
  return NaN;
}
