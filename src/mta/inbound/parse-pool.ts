/**
 * Reads mail in worker threads, within limits of time and memory. Most mail goes through a crowd: few threads, several
 * mails each, because the DNS makes them wait. When a thread of the crowd dies or stands still, nobody knows which of
 * its mails did it, so each of them is read again alone; the one that breaks its own thread is the culprit. But when a
 * mail that is known to be good cannot be read either, the fault is ours (no memory, a machine that stands still), and
 * no mail is blamed.
 */
import { Piscina } from 'piscina';
import { err, ok, type Result } from '../../core/index.ts';
import type { Reading } from './reading.ts';

export interface ParseTask {
  readonly raw: Uint8Array;
  readonly peer: string;
  readonly helo: string;
  readonly from: string;
}

export interface WorkerSettings {
  readonly checkReporter: boolean;
  /** Undefined: those of the system. */
  readonly dnsServers: readonly string[] | undefined;
}

export interface ParsePoolOptions extends WorkerSettings {
  /** Longest time for one mail on its own; a crowd gets a little more. Default 15 s. */
  readonly timeoutMs?: number;
  readonly maxHeapMb?: number;
  /** Module of the worker. */
  readonly worker?: URL;
  /** Told when a thread was ended over a mail, by us or by itself. */
  readonly onRestart?: () => void;
}

const TIMEOUT_MS = 15_000;
const MAX_HEAP_MB = 192;
const CROWD_THREADS = 2;
/** Enough that a DNS which takes 100 ms for a reporter does not hold up thousands a minute. */
export const CROWD_TASKS = 32;
const IDLE_MS = 30_000;

const HARMLESS: ParseTask = {
  raw: Buffer.from('From: a@b.test\r\nSubject: Hello\r\n\r\nHello\r\n'),
  peer: '127.0.0.1',
  helo: 'b.test',
  from: 'a@b.test',
};

/** Sources run as they are; what was built has another ending. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './parse-worker.ts' : './parse-worker.js',
  import.meta.url,
);

export class ParsePool {
  readonly #crowd: Piscina<ParseTask, Reading>;
  readonly #alone: Piscina<ParseTask, Reading>;
  readonly #timeoutMs: number;
  readonly #onRestart: () => void;
  #last: Promise<unknown> = Promise.resolve();
  /** Threads that ended in this turn of the event loop; those that were only idle fail no mail. */
  #justEnded = 0;

  constructor(options: ParsePoolOptions) {
    const {
      timeoutMs = TIMEOUT_MS,
      maxHeapMb = MAX_HEAP_MB,
      worker = WORKER,
      checkReporter,
      dnsServers,
      onRestart = (): void => undefined,
    } = options;
    this.#timeoutMs = timeoutMs;
    this.#onRestart = onRestart;
    const shared = {
      filename: worker.href,
      minThreads: 0,
      idleTimeout: IDLE_MS,
      workerData: { checkReporter, dnsServers },
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
    };
    this.#crowd = new Piscina({
      ...shared,
      maxThreads: CROWD_THREADS,
      concurrentTasksPerWorker: CROWD_TASKS,
    });
    this.#alone = new Piscina({ ...shared, maxThreads: 1, concurrentTasksPerWorker: 1 });
    for (const pool of [this.#crowd, this.#alone])
      pool.on('workerDestroy', () => {
        this.#justEnded++;
        setImmediate(() => (this.#justEnded = 0));
      });
  }

  /** The error is one sentence: the mail broke its worker, alone. Rejects when the workers read nothing at all. */
  async read(task: ParseTask): Promise<Result<Reading, string>> {
    try {
      return ok(await this.#run(this.#crowd, task, this.#timeoutMs * 1.5));
    } catch {
      return this.#again(task);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#crowd.destroy(), this.#alone.destroy()]);
  }

  /** One after the other. */
  #again(task: ParseTask): Promise<Result<Reading, string>> {
    const run = async (): Promise<Result<Reading, string>> => {
      try {
        return ok(await this.#runAlone(task));
      } catch (error) {
        await this.#runAlone(HARMLESS);
        const slow = (error as Error).name === 'AbortError';
        return err(slow ? 'it takes too long to read' : (error as Error).message);
      }
    };
    const result = this.#last.then(run, run);
    this.#last = result;
    return result;
  }

  #runAlone(task: ParseTask): Promise<Reading> {
    return this.#run(this.#alone, task, this.#timeoutMs);
  }

  async #run(pool: Piscina<ParseTask, Reading>, task: ParseTask, timeoutMs: number): Promise<Reading> {
    try {
      return await pool.run(task, { signal: AbortSignal.timeout(timeoutMs) });
    } catch (error) {
      for (; this.#justEnded > 0; this.#justEnded--) this.#onRestart();
      throw error;
    }
  }
}
