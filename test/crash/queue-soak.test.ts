/** A short churn soak: contents of 1 to 300 KB in and out, with kills, in a file of at most twice the live data. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { soak } from '../../bench/soak/soak.ts';

const MESSAGES = Number(process.env['CRASH_SOAK'] ?? 3_000);
const SEED = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(`${MESSAGES} messages in and out`, { timeout: 600_000 }, async (t) => {
  t.diagnostic(`CRASH_SEED=${SEED}`);
  const dir = mkdtempSync(join(tmpdir(), 'postrider-soak-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const soaked = await soak({ dir, seed: SEED, messages: MESSAGES, depth: 300, killEvery: MESSAGES / 6 });
  t.diagnostic(JSON.stringify(soaked));
  assert.ok(soaked.kills >= 2, 'it was killed');
  assert.ok(
    soaked.fileBytes <= 2 * soaked.peakLiveBytes,
    `${soaked.fileBytes} bytes for ${soaked.peakLiveBytes} of live data`,
  );
});
