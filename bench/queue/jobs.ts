/**
 * What operators do to a campaign that waits: hold it, move it, change it, purge it; while other mail comes in and is
 * delivered (beside.ts). The counts of the server must be exact after each.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Job, Postrider } from '../../src/client/index.ts';
import { startSink } from '../../src/testbed/index.ts';
import { postrider } from '../postrider.ts';
import { type Memory, watchMemory } from '../process-tree.ts';
import { type Beside, OtherMail } from './beside.ts';
import { inject } from './injection.ts';
import type { DepthOptions } from './program.ts';

export interface Operation {
  readonly name: string;
  readonly matched: number;
  readonly answerMs: number;
  readonly doneMs: number;
  readonly beside: Beside;
  readonly memory: Memory;
}

const LOOK_MS = 20;
const DEADLINE_MS = 600_000;
/** Other mail alone, to compare with. */
const ALONE_MS = 5_000;
const CAMPAIGN = { campaign_id: 'bench' };

export async function measureJobs(
  parent: string,
  size: number,
  { profile, say }: DepthOptions,
): Promise<Operation[]> {
  const dir = join(parent, `jobs-${size}`);
  mkdirSync(dir);
  let other: OtherMail | undefined;
  const sink = await startSink({
    keep: 1,
    onMessage: ({ recipients }) => other?.arrived(recipients[0]!),
  });
  const mta = await postrider({ nodeSwitches: profile }).start({
    dir,
    receiverPort: sink.port,
    dkimKey: undefined,
  });
  const client = new Postrider({ socketPath: mta.controlSocket! });
  let run = 0;

  async function measure(name: string, begin: () => Promise<Job>): Promise<Operation> {
    other = new OtherMail(client, run++);
    const endWatch = watchMemory(mta.pids);
    const start = performance.now();
    let job = await begin();
    const answerMs = performance.now() - start;
    while (job.state !== 'done') {
      if (performance.now() - start > DEADLINE_MS) throw new Error(`${name}: ${job.done} of ${job.matched}`);
      await delay(LOOK_MS);
      job = await client.job(job.job);
    }
    const doneMs = performance.now() - start;
    // What was quicker than the other mail is nothing to measure it by.
    await delay(Math.max(0, ALONE_MS - doneMs));
    const beside = await other.end();
    if (job.done !== job.matched) throw new Error(`${name}: ${job.done} of ${job.matched}`);
    say(`${name}: ${(doneMs / 1000).toFixed(1)} s`);
    return { name, matched: job.matched, answerMs, doneMs, beside, memory: endWatch() };
  }

  /** Deliveries of the campaign by a label; throws where the sum is not what it has to be. */
  async function mustBe(expected: Readonly<Record<string, number>>): Promise<void> {
    const { rows } = await client.queue(['campaign', 'node']);
    const found: Record<string, number> = {};
    for (const { campaign, node, total } of rows) if (campaign === 'bench' && total > 0) found[node!] = total;
    if (JSON.stringify(found) !== JSON.stringify(expected))
      throw new Error(`the queue has ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
  }

  try {
    await client.hold(CAMPAIGN);
    await inject(mta, 1, size);
    say(`${size} queued`);
    const done: Operation[] = [
      await measure('nothing', () =>
        Promise.resolve({ job: '', state: 'done', matched: 0, done: 0, pending: 0 }),
      ),
      await measure('hold', () => client.hold(CAMPAIGN)),
      await measure('move to a node', () => client.move({ ...CAMPAIGN, node: 'n1' }, { node: 'n2' })),
    ];
    await mustBe({ n2: size });
    done.push(await measure('change band', () => client.change(CAMPAIGN, { band: 'priority' })));
    await mustBe({ n2: size });
    done.push(await measure('purge', () => client.purge(CAMPAIGN)));
    await mustBe({});
    const { counters } = await client.status();
    if (counters.removed !== size) throw new Error(`${counters.removed} are removed, not ${size}`);
    return done;
  } finally {
    client.close();
    await mta.stop();
    await sink.close();
  }
}
