/** Both stores keep the contract; the one on disk really waits for the disk. */
import { open } from 'lmdb';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Kv } from '../../../src/queue/kv.ts';
import { openLmdbKv, type Durability } from '../../../src/queue/lmdb-kv.ts';
import { openMemoryKv } from '../../../src/queue/memory-kv.ts';
import { kvConformance, type Store } from './kv-conformance.ts';

const temporary = (): string => mkdtempSync(join(tmpdir(), 'postrider-kv-'));

/** The memory store ends with the process, so what outlives an opening is the object itself. */
function memoryStore(): Store {
  const kv = openMemoryKv();
  return { open: () => kv, remove: () => undefined };
}

function lmdbStore(durability: Durability): Store {
  const dir = temporary();
  return {
    open: () => openLmdbKv({ dir, durability }),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

kvConformance('memory', memoryStore);
kvConformance('LMDB, synced', () => lmdbStore('sync'));
kvConformance('LMDB, process', () => lmdbStore('process'));

interface FlushedByHand {
  readonly kv: Kv;
  /** How often somebody asked for `flushed`. */
  readonly asked: () => number;
  readonly flush: () => void;
  /** What the environment was opened with. */
  readonly noSync: boolean;
}

/** Opens a store whose `flushed` resolves when the test says so. */
function openFlushedByHand(t: TestContext, durability: Durability): FlushedByHand {
  const dir = temporary();
  const flushed = Promise.withResolvers<boolean>();
  let asked = 0;
  let noSync = false;
  const kv = openLmdbKv({ dir, durability }, (options) => {
    noSync = options.noSync === true;
    const get = (): Promise<boolean> => (asked++, flushed.promise);
    return Object.defineProperty(open(options), 'flushed', { get });
  });
  t.after(async () => {
    flushed.resolve(true);
    await kv.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { kv, asked: () => asked, flush: () => flushed.resolve(true), noSync };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const op = { table: 'meta', key: Buffer.of(1), value: Buffer.of(1) } as const;

test('a new store is made in one transaction, and so with one sync', (t) => {
  const dir = temporary();
  let transactions: unknown;
  const kv = openLmdbKv({ dir, durability: 'sync' }, (options) => {
    const env = open(options);
    transactions = () => (env.getStats() as { readonly lastTxnId: number }).lastTxnId;
    return env;
  });
  t.after(async () => {
    await kv.close();
    rmSync(dir, { recursive: true, force: true });
  });
  assert.equal((transactions as () => number)(), 1);
});

describe('durability of the LMDB store', () => {
  test('sync: a commit resolves only after the flush', async (t) => {
    const { kv, asked, flush, noSync } = openFlushedByHand(t, 'sync');
    assert.equal(noSync, false);
    let resolved = false;
    const commit = kv.commit([op]).then(() => (resolved = true));
    while (kv.get('meta', op.key) === undefined) await turn();
    for (let turns = 0; turns < 20; turns++) await turn();
    assert.equal(resolved, false, 'written, not yet durable');
    flush();
    await commit;
    assert.equal(asked(), 1);
  });

  test('process: a commit does not wait for a flush', async (t) => {
    const { kv, asked, noSync } = openFlushedByHand(t, 'process');
    assert.equal(noSync, true);
    await kv.commit([op]);
    assert.equal(asked(), 0);
  });
});
