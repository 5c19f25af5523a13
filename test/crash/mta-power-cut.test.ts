/**
 * The power fails under load: the store is on ext4 on a loop device, which is shut down without flushing. What the
 * file system had not synced is lost, what it had stays; then its journal is replayed by a new mount. Not covered: a
 * disk that loses or reorders what it said was written, and torn sectors.
 *
 * After each cut the audit is clean; at the end all that was acknowledged has arrived. CRASH_CUTS cuts (3).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILT, Mta, RUNNING } from '../support/mta.ts';
import { FileSystem } from '../support/file-system.ts';
import { eventually, receiver, routeTo } from '../support/mta-world.ts';
import { Load } from './kill-load.ts';
import { randomFrom } from './queue-load.ts';

const CUTS = Number(process.env['CRASH_CUTS'] ?? 3);
const SEED = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const IMAGE_MB = 256;

test(
  `${CUTS} power cuts under load lose nothing that was acknowledged`,
  { timeout: 3_600_000 },
  async (t) => {
    t.diagnostic(`CRASH_SEED=${SEED}`);
    const random = randomFrom(SEED);
    const arrived = new Set<string>();
    const sink = await receiver(t, {
      onMessage: ({ recipients }) => recipients.forEach((to) => arrived.add(to)),
    });
    const mta = await Mta.prepare(t, { routes: [routeTo(sink)], disk_reserve: '1MB' });
    mta.program = BUILT;
    const disk = FileSystem.ext4(t, mta.dir, IMAGE_MB);
    if (!disk) return;
    try {
      const load = new Load(mta);
      for (let cut = 0; cut < CUTS; cut++) {
        const target = load.acknowledged.size + 20 + Math.floor(random() * 200);
        mta.launch();
        await mta.heard(({ msg }) => msg === RUNNING);
        let dark = false;
        await load.until(() => {
          if (!dark && load.acknowledged.size >= target) {
            disk.cutPower();
            dark = true;
            mta.signal('SIGKILL');
          }
          return mta.ended;
        });
        await mta.exited();
        disk.unmount();
        disk.mount();
        await mta.audit();
      }
      await mta.start();
      assert.ok((await mta.status()).counters.accepted >= load.acknowledged.size);
      await eventually(async () => (await mta.status()).queue.total === 0, 'the queue is empty');
      await mta.end();
      const lost = [...load.acknowledged].filter((to) => !arrived.has(to));
      assert.deepEqual(lost, []);
      t.diagnostic(`${CUTS} cuts, ${load.acknowledged.size} acknowledged, all arrived`);
    } finally {
      await mta.kill('SIGKILL');
      disk.unmount();
    }
  },
);
