/** A store that cannot grow refuses messages and loses none; the process lives, and sending goes on. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../../src/core/index.ts';
import { findDelivery, openLmdbKv, Queue } from '../../src/queue/index.ts';
import { auditStore } from '../support/audit.ts';

const WORKER = join(import.meta.dirname, 'queue-full-disk-worker.ts');
const MAX_FILE_KB = 4_000;

interface Told {
  readonly accepted: readonly number[];
  readonly refused: readonly string[];
  readonly delivered: number;
}

test('a full disk refuses messages and loses none', { timeout: 60_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'postrider-full-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  // The limit on the size of a file fails writes as a full disk does, and needs no rights.
  const script = `ulimit -f ${MAX_FILE_KB}; exec "$0" "$@"`;
  const { stdout } = await promisify(execFile)('bash', ['-c', script, process.execPath, WORKER, dir]);
  const { accepted, refused, delivered } = JSON.parse(stdout) as Told;
  assert.ok(accepted.length > 10, 'there was room at first');
  for (const text of refused) assert.match(text, /^(File too large|Input\/output error)$/);

  const kv = openLmdbKv({ dir, durability: 'sync' });
  assert.deepEqual(auditStore(kv), []);
  const { queue, recovered } = await Queue.open({ kv, clock: systemClock, report: assert.fail });
  assert.deepEqual(recovered, { returned: 0, possibleDuplicates: 0, closedBatches: 0 });
  assert.equal(queue.state.counters.sum().accepted, accepted.length);
  for (const number of accepted) {
    const expected = number === delivered ? 'delivered' : 'new';
    assert.equal(findDelivery(queue.state, number, 1)?.state, expected);
  }
  await queue.close();
});
