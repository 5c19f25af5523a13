/**
 * The built program with many deliveries in its queue: how fast `POST /v1/batches` takes them while nothing can be
 * sent, how much memory that costs, how soon after a new start the first one arrives, and how long it takes an operator
 * to hold and purge the rest.
 */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Postrider } from '../../src/client/index.ts';
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
  /** What was left was held and purged; undefined where nothing was left. */
  readonly rest: Rest | undefined;
}

interface Rest {
  readonly heldMs: number;
  readonly purged: number;
  readonly purgedMs: number;
}

export interface DepthOptions {
  /** For Node.js, of the program. */
  readonly profile: readonly string[];
  readonly say: (text: string) => void;
}

/** What is delivered after the new start. */
const FIRST = 10_000;
const DEADLINE_MS = 120_000;
const LOOK_MS = 50;

export async function measureDepth(
  parent: string,
  size: number,
  { profile, say }: DepthOptions,
): Promise<Depth> {
  const dir = join(parent, `program-${size}`);
  mkdirSync(dir);
  const taken = await fill(dir, size, profile);
  say(`program: ${size} queued: ${Math.round(taken.recipientsPerSecond)} recipients/s`);
  return {
    size,
    ...taken,
    storeBytes: statSync(join(dir, 'data/queue.mdb')).size,
    ...(await deliver(dir, size, profile)),
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

type Delivered = Pick<Depth, 'firstMs' | 'after' | 'delivered' | 'deliveredPerSecond' | 'rest'>;

async function deliver(dir: string, size: number, profile: readonly string[]): Promise<Delivered> {
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
  const mta = await postrider({ nodeSwitches: profile }).start({
    dir,
    receiverPort: sink.port,
    dkimKey: undefined,
  });
  const endWatch = watchMemory(mta.pids);
  const timer = setTimeout(() => last.reject(new Error(`${arrived} of ${wanted} arrived`)), DEADLINE_MS);
  try {
    const lastAt = await last.promise;
    const firstAt = await first.promise;
    const after = endWatch();
    const rest = wanted < size ? await endRest(mta.controlSocket!, size) : undefined;
    return {
      firstMs: firstAt - start,
      after,
      delivered: wanted,
      deliveredPerSecond: (wanted * 1000) / (lastAt - firstAt),
      rest,
    };
  } finally {
    clearTimeout(timer);
    await mta.stop();
    await sink.close();
  }
}

/** Holds and purges what is left. Throws when the counts do not fit. */
async function endRest(socketPath: string, size: number): Promise<Rest> {
  const client = new Postrider({ socketPath });
  try {
    const begun = performance.now();
    await client.hold({ campaign_id: 'bench' });
    const heldMs = performance.now() - begun;
    const start = performance.now();
    let job = await client.purge({ campaign_id: 'bench' });
    while (job.state !== 'done') {
      await delay(LOOK_MS);
      job = await client.job(job.job);
    }
    const purgedMs = performance.now() - start;
    const { delivered, removed, queued } = (await client.status()).counters;
    if (delivered + removed !== size || queued !== 0)
      throw new Error(`${delivered} delivered, ${removed} removed and ${queued} queued of ${size}`);
    return { heldMs, purged: job.done, purgedMs };
  } finally {
    client.close();
  }
}
