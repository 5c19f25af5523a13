/**
 * A campaign through `postrider/client` that nothing disturbs: the anonymous memory of server and client while it goes on,
 * so that one sees whether it grows with the recipients.
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startProgram } from '../child.ts';
import { freePort } from '../contender.ts';
import { postrider } from '../postrider.ts';
import { memoryOf } from '../process-tree.ts';
import { CLIENT } from './campaign.ts';

export interface MemorySample {
  /** Since the client was started. */
  readonly ms: number;
  readonly accepted: number;
  readonly serverBytes: number;
  readonly clientBytes: number;
}

export interface CampaignMemory {
  readonly size: number;
  readonly seconds: number;
  /** Four in a second; the last one is of the end. */
  readonly samples: readonly MemorySample[];
}

const SAMPLE_EVERY_MS = 250;

export async function measureCampaignMemory(parent: string, size: number): Promise<CampaignMemory> {
  const dir = join(parent, `campaign-memory-${size}`);
  mkdirSync(dir);
  const receiverPort = await freePort(); // nobody listens: the mail stays
  const mta = await postrider().start({ dir, receiverPort, dkimKey: undefined });
  try {
    const samples: MemorySample[] = [];
    const begun = performance.now();
    const args = [CLIENT, mta.controlSocket!, 'campaign', String(size)];
    const client = startProgram(process.execPath, args, join(dir, 'client.log'));
    const ended = once(client, 'exit') as Promise<[number | null]>;
    const sample = async (clientBytes: number): Promise<void> => {
      const accepted = await mta.queued();
      const serverBytes = memoryOf(mta.pids).rssAnonBytes;
      samples.push({ ms: performance.now() - begun, accepted, serverBytes, clientBytes });
    };
    while (client.exitCode === null && client.signalCode === null) {
      await sample(memoryOf([client.pid!]).rssAnonBytes);
      await Promise.race([ended, delay(SAMPLE_EVERY_MS)]);
    }
    const seconds = (performance.now() - begun) / 1000;
    const [code] = await ended;
    await sample(samples.at(-1)!.clientBytes);
    if (code !== 0 || samples.at(-1)!.accepted !== size)
      throw new Error(`the client ended with ${code}, ${samples.at(-1)!.accepted} of ${size} are accepted`);
    return { size, seconds, samples };
  } finally {
    await mta.stop();
  }
}
