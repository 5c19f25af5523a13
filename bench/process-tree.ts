/**
 * CPU time and memory of processes with all their descendants, from /proc (Linux).
 *
 * CPU of a tree is that of the living processes and of the children they have waited for, so short-lived processes
 * count as soon as their parent has collected them (Postfix's master does so at once). No cgroup and no root needed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setInterval } from 'node:timers';

export interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  /** Clock ticks since boot: tells two processes with the same pid apart. */
  readonly startedAt: number;
  /** User + system, own and of waited-for children. */
  readonly cpuSeconds: number;
}

/** USER_HZ: 100 on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;
const SAMPLE_EVERY_MS = 250;

/** A file of /proc, or undefined when the process has ended. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function timesOf(pid: number): ProcessTimes | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name, in parentheses, may contain blanks and parentheses. Field 3 (state) comes after it: proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  const ticks = field(14) + field(15) + field(16) + field(17);
  return { pid, parent: field(4), startedAt: field(22), cpuSeconds: ticks / TICKS_PER_SECOND };
}

/** The roots that live and everything below them, parents first. */
export function treeOf(roots: readonly number[]): ProcessTimes[] {
  const all = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
    .map(timesOf)
    .filter((times) => times !== undefined);
  const tree = all.filter(({ pid }) => roots.includes(pid));
  const known = new Set(tree.map(({ pid }) => pid));
  for (let i = 0; i < tree.length; i++)
    for (const times of all)
      if (times.parent === tree[i]!.pid && !known.has(times.pid)) {
        known.add(times.pid);
        tree.push(times);
      }
  return tree;
}

export const cpuSecondsOf = (roots: readonly number[]): number =>
  treeOf(roots).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);

/**
 * The same to the nanosecond, for short spans: what the scheduler has given to the threads that live. What ended threads
 * had is not in it.
 */
export function scheduledSecondsOf(roots: readonly number[]): number {
  let nanoseconds = 0;
  for (const { pid } of treeOf(roots))
    for (const thread of threadsOf(pid))
      nanoseconds += Number(read(`/proc/${pid}/task/${thread}/schedstat`)?.split(' ')[0] ?? 0);
  return nanoseconds / 1e9;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** CPU that the whole machine has spent since boot, without idle, I/O wait and what was stolen from it. */
export function machineCpuSeconds(): number {
  const [, user, nice, system, , , irq, softIrq] = read('/proc/stat')!
    .split('\n')[0]!
    .split(/\s+/)
    .map(Number);
  return (user! + nice! + system! + irq! + softIrq!) / TICKS_PER_SECOND;
}

export interface Memory {
  readonly rssBytes: number;
  readonly rssAnonBytes: number;
}

/** Sums over the tree: a page that several processes share counts once for each. */
export function memoryOf(roots: readonly number[]): Memory {
  let [rssBytes, rssAnonBytes] = [0, 0];
  for (const { pid } of treeOf(roots)) {
    const status = read(`/proc/${pid}/status`) ?? '';
    rssBytes += kilobytes(status, 'VmRSS') * 1024;
    rssAnonBytes += kilobytes(status, 'RssAnon') * 1024;
  }
  return { rssBytes, rssAnonBytes };
}

const kilobytes = (status: string, key: string): number =>
  Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);

/** Watches the memory of a tree four times a second; the function that is returned ends it and gives the peaks. */
export function watchMemory(roots: readonly number[]): () => Memory {
  let peak = memoryOf(roots);
  const look = (): void => {
    const now = memoryOf(roots);
    peak = {
      rssBytes: Math.max(peak.rssBytes, now.rssBytes),
      rssAnonBytes: Math.max(peak.rssAnonBytes, now.rssAnonBytes),
    };
  };
  const timer = setInterval(look, SAMPLE_EVERY_MS);
  return () => {
    clearInterval(timer);
    look();
    return peak;
  };
}
