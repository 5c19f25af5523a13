/** `postrider audit` while mail comes in and goes out, after the end, and on a store that was damaged on purpose. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuditReport } from '../../src/queue/index.ts';
import { openLmdbKv } from '../../src/queue/index.ts';
import { parseDeliveryKey } from '../../src/queue/keys.ts';
import { deliveryIdOf } from '../../src/core/index.ts';
import { MAIN, Mta } from '../support/mta.ts';
import { batch, eventually, gate, receiver, routeTo } from '../support/mta-world.ts';

interface Ran {
  readonly code: number;
  readonly report: AuditReport;
}

/** Runs `postrider audit --json` on the data of a server. */
function auditOf(mta: Mta): Promise<Ran> {
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  const args = [MAIN, 'audit', '-c', mta.configFile, '--json'];
  execFile(process.execPath, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
    try {
      resolve({ code: Number(error?.code ?? 0), report: JSON.parse(stdout) as AuditReport });
    } catch {
      reject(new Error(`${stdout}${stderr}`));
    }
  });
  return promise;
}

const COUNT = 1_000;

test('beside the server, after it, and on a damaged store', { timeout: 300_000 }, async (t) => {
  const [sink, held] = [await receiver(t), await gate(t)];
  const mta = await Mta.start(t, { routes: [routeTo(held, 'd1.test'), routeTo(sink)] });
  const body = batch(COUNT, (i) => `d${i % 50}.test`);
  const injecting = mta.api('/v1/batches', { type: 'application/x-ndjson', body });
  let compared = 0;
  for (let i = 0; i < 2; i++) {
    const { code, report } = await auditOf(mta);
    assert.deepEqual([code, report.violations], [0, []]);
    if (report.live_counts_compared) compared++;
  }
  assert.ok(compared > 0, 'the counts of the server were compared while it worked');
  assert.equal((await injecting).status, 200);
  const told = (await mta.api('/v1/audit')).body as AuditReport;
  assert.deepEqual([told.clean, told.violations], [true, []]);
  assert.equal(told.totals.accepted, COUNT);
  await eventually(async () => (await mta.status()).counters.delivered > 0, 'mail goes out');
  await mta.kill('SIGKILL');

  const killed = await auditOf(mta);
  assert.deepEqual([killed.code, killed.report.live_counts_compared], [0, undefined]);
  const kv = openLmdbKv({ dir: join(mta.dir, 'data'), durability: 'sync' });
  const [entry] = [...kv.range('deliveries', { limit: 1 })];
  await kv.commit([{ table: 'deliveries', key: entry!.key, value: Buffer.from('rubbish') }]);
  await kv.close();
  const { number, index } = parseDeliveryKey(entry!.key);
  const damaged = await auditOf(mta);
  assert.equal(damaged.code, 1);
  const ids = damaged.report.violations.map(({ delivery_id }) => delivery_id);
  assert.ok(ids.includes(deliveryIdOf(number, index)), JSON.stringify(damaged.report.violations));
});
