/**
 * Slots are folded into their table for the sake of a short log, and each may be on a page of its own. On a disk that
 * others have filled that is left for later: outcomes are recorded all the same, and LMDB is never asked for room that
 * is not there, which may end the process.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { FileSystem } from '../support/file-system.ts';
import { scratch } from '../support/mta.ts';

const WORKER = join(import.meta.dirname, 'queue-fold-full-disk-worker.ts');

interface Told {
  /** Slots that went to their table while the disk was full, and when there was room again. */
  readonly full: number;
  readonly later: number;
  readonly failures: readonly string[];
  readonly violations: readonly string[];
}

test('a full disk keeps no outcome from being stored, and is asked for nothing that can wait', async (t) => {
  const disk = FileSystem.memory(t, scratch(t), 64);
  if (!disk) return;
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [WORKER, disk.path]);
    const { full, later, failures, violations } = JSON.parse(stdout) as Told;
    assert.deepEqual([failures, violations], [[], []]);
    assert.ok(full < 500, `${full} were folded without room`);
    assert.ok(later > 2_000, `${later} were folded when there was room`);
  } finally {
    disk.unmount();
  }
});
