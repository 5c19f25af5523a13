/**
 * A churn soak of the store: workers put messages through one queue and are killed (SIGKILL) again and again. After each
 * kill the store is audited, everything that was acknowledged is looked for, and the live data is measured.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseDeliveryId } from '../../src/core/index.ts';
import { auditStore, openLmdbReader, STORE_FILE, TABLES } from '../../src/queue/index.ts';
import { deliveryKey } from '../../src/queue/keys.ts';
import type { Kv } from '../../src/queue/kv.ts';

const WORKER = join(import.meta.dirname, 'worker.ts');

export interface SoakOptions {
  readonly dir: string;
  readonly seed: number;
  readonly messages: number;
  /** Most messages that wait at once. */
  readonly depth: number;
  /** Messages accepted between two kills, about. */
  readonly killEvery: number;
  /** No worker is started after it (monotonic ms), but one that drains the queue. */
  readonly until?: number;
  readonly told?: (sofar: Soaked) => void;
}

export interface Soaked {
  accepted: number;
  ended: number;
  kills: number;
  bytesIn: number;
  /** Largest of all data in the store at a kill, and of the contents that waited at any moment. */
  peakLiveBytes: number;
  fileBytes: number;
}

class Soak {
  readonly #options: SoakOptions;
  readonly #live = new Map<string, number>();
  #liveBytes = 0;
  #random: number;
  readonly soaked: Soaked = { accepted: 0, ended: 0, kills: 0, bytesIn: 0, peakLiveBytes: 0, fileBytes: 0 };

  constructor(options: SoakOptions) {
    this.#options = options;
    this.#random = options.seed;
  }

  async run(): Promise<Soaked> {
    const { messages, until = Infinity, told } = this.#options;
    for (let done = false; !done;) {
      const left = performance.now() < until ? messages - this.soaked.accepted : 0;
      done = await this.#worker(left);
      await this.#inspect();
      told?.(this.soaked);
    }
    assert.equal(this.#live.size, 0, 'everything has ended');
    return this.soaked;
  }

  /** Runs a worker until it is killed, or ends (true). */
  async #worker(left: number): Promise<boolean> {
    const { dir, depth, killEvery, until = Infinity } = this.#options;
    this.#random = (Math.imul(this.#random, 1103515245) + 12345) >>> 0;
    const killAt = this.soaked.accepted + Math.ceil(killEvery * (0.5 + this.#random / 2 ** 32));
    const args = [WORKER, dir, String(this.#random), String(left), String(depth)];
    const worker = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(worker, 'exit');
    let done = false;
    for await (const line of createInterface(worker.stdout)) {
      if (line === 'd') done = true;
      this.#keep(line);
      if (left > 0 && (this.soaked.accepted >= killAt || performance.now() >= until)) worker.kill('SIGKILL');
    }
    const [code, signal] = (await exit) as [number | null, string | null];
    if (signal === 'SIGKILL') this.soaked.kills++;
    else assert.ok(done && code === 0, `the worker ended by itself: code ${code}, signal ${signal}`);
    return done && signal === null;
  }

  #keep(line: string): void {
    const [what, id = '', bytes] = line.split(' ');
    if (what === 'a') {
      this.soaked.accepted++;
      this.soaked.bytesIn += Number(bytes);
      this.#live.set(id, Number(bytes));
      this.#liveBytes += Number(bytes);
      this.soaked.peakLiveBytes = Math.max(this.soaked.peakLiveBytes, this.#liveBytes);
    } else if (what === 'e') this.#end(id);
  }

  #end(id: string): void {
    this.soaked.ended++;
    this.#liveBytes -= this.#live.get(id) ?? 0;
    this.#live.delete(id);
  }

  async #inspect(): Promise<void> {
    const file = join(this.#options.dir, STORE_FILE);
    const kv = openLmdbReader(file);
    try {
      assert.deepEqual(auditStore(kv), []);
      for (const id of this.#live.keys()) this.#find(kv, id);
      this.soaked.peakLiveBytes = Math.max(this.soaked.peakLiveBytes, liveBytes(kv));
    } finally {
      await kv.close();
    }
    this.soaked.fileBytes = Math.max(this.soaked.fileBytes, statSync(file).size);
  }

  /** What was acknowledged waits, or has ended in the moment before the kill. */
  #find(kv: Kv, id: string): void {
    const { number, index } = parseDeliveryId(id)!;
    if (kv.get('deliveries', deliveryKey(number, index))) return;
    assert.ok(kv.get('history', deliveryKey(number, index)), `${id} was acknowledged and is lost`);
    this.#end(id);
  }
}

function liveBytes(kv: Kv): number {
  let bytes = 0;
  for (const table of TABLES)
    for (const { key, value } of kv.range(table, {})) bytes += key.length + value.length;
  return bytes;
}

/** Throws what was wrong. */
export const soak = (options: SoakOptions): Promise<Soaked> => new Soak(options).run();
