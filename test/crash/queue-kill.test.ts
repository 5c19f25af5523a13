/**
 * kill -9 under load, again and again on one store. After each kill: the audit is clean; what was acknowledged is
 * kept, acceptances and outcomes alike; possible duplicates are exactly the deliveries that were leased.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { deliveryIdOf, parseDeliveryId, systemClock } from '../../src/core/index.ts';
import { type FinalRecord, findDelivery, openLmdbKv, Queue, type QueueState } from '../../src/queue/index.ts';
import { deliveryKey, parseDeliveryKey, parseSlotKey } from '../../src/queue/keys.ts';
import type { Kv } from '../../src/queue/kv.ts';
import { decodeLease } from '../../src/queue/leases.ts';
import { decode, type DeliveryRecord } from '../../src/queue/records.ts';
import { SlotLog } from '../../src/queue/slot-log.ts';
import { auditStore } from '../support/audit.ts';
import { type Line, randomFrom } from './queue-load.ts';

const KILLS = Number(process.env['CRASH_QUEUE_KILLS'] ?? 25);
/** A round looks at all that was promised in the rounds before it. */
const ROUND_MS = 15_000;
const SEED = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const MAX_LINES = 800;
const WORKER = join(import.meta.dirname, 'queue-worker.ts');

/** What the workers of all rounds were promised. */
class Promises {
  readonly accepted = new Set<string>();
  readonly ends = new Map<string, FinalRecord['type']>();
  readonly deferrals = new Map<string, number>();

  keep(line: Line): void {
    if (line.what === 'accepted') for (const id of line.ids) this.accepted.add(id);
    if (line.what !== 'outcome' || line.kind === 'released') return;
    if (line.kind === 'deferred') this.deferrals.set(line.id, (this.deferrals.get(line.id) ?? 0) + 1);
    else this.ends.set(line.id, line.kind);
  }
}

/** Runs a worker and kills it after so many lines; gives all lines that it wrote whole. */
async function runAndKill(dir: string, seed: number, killAfter: number): Promise<Line[]> {
  const worker = spawn(process.execPath, [WORKER, dir, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(worker, 'exit');
  const lines: Line[] = [];
  for await (const text of createInterface(worker.stdout)) {
    lines.push(JSON.parse(text) as Line);
    if (lines.length === killAfter) worker.kill('SIGKILL');
  }
  const [code, signal] = (await exit) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `the worker ended by itself, code ${code}`);
  return lines;
}

const idOf = ({ number, index }: { readonly number: number; readonly index: number }): string =>
  deliveryIdOf(number, index);

/** Queued deliveries that a lease names and that have no slot: a worker had them. */
function leasedIn(kv: Kv): Set<string> {
  const slots = new SlotLog(kv).range('schedule', {});
  const waiting = new Set([...slots].map(({ key }) => idOf(parseSlotKey(key))));
  const named = [...kv.range('leases', {})].flatMap(({ value }) => decodeLease(value));
  const queued = named.filter(({ number, index }) => kv.get('deliveries', deliveryKey(number, index)));
  return new Set(queued.map(idOf).filter((id) => !waiting.has(id)));
}

function marked(kv: Kv): Set<string> {
  const found = new Set<string>();
  for (const { key, value } of kv.range('deliveries', {})) {
    if (decode<DeliveryRecord>(value).possibleDuplicate) found.add(idOf(parseDeliveryKey(key)));
  }
  return found;
}

function checkPromises(state: QueueState, { accepted, ends, deferrals }: Promises): void {
  const find = (id: string) => {
    const { number, index } = parseDeliveryId(id)!;
    return findDelivery(state, number, index);
  };
  for (const id of accepted) assert.ok(find(id), `${id} was accepted and is lost`);
  for (const [id, type] of ends)
    assert.equal(find(id)?.record.final?.type, type, `the outcome of ${id} is lost`);
  for (const [id, count] of deferrals) {
    const attempts = find(id)?.record.attempts.filter(({ outcome }) => outcome === 'soft_bounce');
    assert.ok(attempts && attempts.length >= count, `a deferral of ${id} is lost`);
  }
}

/** Opens what a killed worker left, checks it and closes it; gives the number of possible duplicates. */
async function inspect(dir: string, promises: Promises): Promise<number> {
  const kv = openLmdbKv({ dir, durability: 'sync' });
  assert.deepEqual(auditStore(kv), [], 'before recovery');
  const [leased, before] = [leasedIn(kv), marked(kv)];
  const report = (_: string, text: string): void => assert.fail(text);
  const { queue, recovered } = await Queue.open({ kv, clock: systemClock, report });
  assert.deepEqual(auditStore(kv), [], 'after recovery');
  assert.deepEqual(
    marked(kv),
    new Set([...before, ...leased]),
    'the possible duplicates are what was leased',
  );
  assert.equal(recovered.returned, leased.size);
  checkPromises(queue.state, promises);
  await queue.close();
  return recovered.returned;
}

test(
  `kill -9 under load loses nothing, ${KILLS} times`,
  { timeout: 60_000 + KILLS * ROUND_MS },
  async (t) => {
    t.diagnostic(`CRASH_SEED=${SEED}`);
    const dir = mkdtempSync(join(tmpdir(), 'postrider-crash-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const random = randomFrom(SEED);
    const promises = new Promises();
    let returned = 0;
    for (let round = 0; round < KILLS; round++) {
      const killAfter = 1 + Math.floor(random() * MAX_LINES);
      for (const line of await runAndKill(dir, SEED + round, killAfter)) promises.keep(line);
      returned += await inspect(dir, promises);
    }
    t.diagnostic(
      `${promises.accepted.size} accepted, ${promises.ends.size} ended, ${returned} returned by recovery`,
    );
    assert.ok(promises.ends.size > 0 && returned > 0, 'there was load');
  },
);
