/**
 * The built program with many deliveries in its queue: how fast `POST /v1/batches` takes them while nothing can be
 * sent, how much memory that costs, and how soon after a new start the first one arrives.
 */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { startSink } from '../../src/testbed/index.ts';
import { cpuSecondsOf, type Memory, watchMemory } from '../process-tree.ts';
import { freePort } from '../contender.ts';
import { postrider } from '../postrider.ts';
import { inject } from './injection.ts';

export interface Depth {
  readonly size: number;
  readonly recipientsPerSecond: number;
  /** CPU microseconds of the program per recipient taken. */
  readonly takenCpuUs: number;
  readonly whileTaking: Memory;
  readonly storeBytes: number;
  /** From the start of the process to the first message at the receiver, and to the `first` last. */
  readonly firstMs: number;
  readonly after: Memory;
  readonly delivered: number;
  readonly deliveredPerSecond: number;
}

/** What is delivered after the new start. */
const FIRST = 10_000;
const DEADLINE_MS = 120_000;

export async function measureDepth(parent: string, size: number, profile: readonly string[]): Promise<Depth> {
  const dir = join(parent, `program-${size}`);
  mkdirSync(dir);
  const taken = await fill(dir, size, profile);
  return {
    size,
    ...taken,
    storeBytes: statSync(join(dir, 'data/queue.mdb')).size,
    ...(await deliver(dir, size)),
  };
}

type Taken = Pick<Depth, 'recipientsPerSecond' | 'takenCpuUs' | 'whileTaking'>;

/** Nobody listens where the mail goes, so it stays. */
async function fill(dir: string, size: number, profile: readonly string[]): Promise<Taken> {
  const mta = await postrider({ nodeSwitches: profile }).start({
    dir,
    receiverPort: await freePort(),
    dkimKey: undefined,
  });
  try {
    await inject(mta, 1, 1_000); // warms up
    const [endWatch, cpu, start] = [watchMemory(mta.pids), cpuSecondsOf(mta.pids), performance.now()];
    await inject(mta, 1_001, size);
    const seconds = (performance.now() - start) / 1000;
    const count = size - 1_000;
    return {
      recipientsPerSecond: count / seconds,
      takenCpuUs: ((cpuSecondsOf(mta.pids) - cpu) * 1e6) / count,
      whileTaking: endWatch(),
    };
  } finally {
    await mta.stop();
  }
}

type Delivered = Pick<Depth, 'firstMs' | 'after' | 'delivered' | 'deliveredPerSecond'>;

async function deliver(dir: string, size: number): Promise<Delivered> {
  const wanted = Math.min(FIRST, size);
  const [first, last] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
  let arrived = 0;
  const sink = await startSink({
    keep: 1,
    onMessage: () => {
      arrived++;
      if (arrived === 1) first.resolve(performance.now());
      if (arrived === wanted) last.resolve(performance.now());
    },
  });
  const start = performance.now();
  const mta = await postrider().start({ dir, receiverPort: sink.port, dkimKey: undefined });
  const endWatch = watchMemory(mta.pids);
  const timer = setTimeout(() => last.reject(new Error(`${arrived} of ${wanted} arrived`)), DEADLINE_MS);
  try {
    const lastAt = await last.promise;
    const firstAt = await first.promise;
    return {
      firstMs: firstAt - start,
      after: endWatch(),
      delivered: wanted,
      deliveredPerSecond: (wanted * 1000) / (lastAt - firstAt),
    };
  } finally {
    clearTimeout(timer);
    await mta.stop();
    await sink.close();
  }
}
