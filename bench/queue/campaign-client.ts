/**
 * One campaign through `postrider/client`, in a process of its own so that it can be killed: the arguments are the
 * socket, the idempotency key and the number of recipients. Prints one line of JSON at the end: what was accepted, the
 * anonymous memory (bytes) after a tenth of the recipients and at its peak, and what of it is in use then: the heap
 * after a collection, early and near the end.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { memoryOf } from '../process-tree.ts';
import { type BatchRecipient, Postrider } from '../../src/client/index.ts';
import { FROM_ADDRESS } from '../workloads.ts';
import { recipient } from './recipients.ts';

export interface Sent {
  readonly accepted: number;
  readonly rejected: number;
  readonly earlyBytes: number;
  readonly peakBytes: number;
  readonly earlyLiveBytes: number;
  readonly lateLiveBytes: number;
}

const LOOK_EVERY = 20_000;

function* recipients(count: number): Generator<BatchRecipient> {
  for (let i = 1; i <= count; i++) yield { to: recipient(i), vars: { name: `Anna ${i}` } };
}

async function send(socketPath: string, key: string, count: number): Promise<Sent> {
  const client = new Postrider({ socketPath });
  const parts = { from: FROM_ADDRESS, subject: 'Offers', html: '<p>Hello {{name}}</p>'.repeat(400) };
  const header = {
    from: FROM_ADDRESS,
    parts,
    virtual_sender: 'main',
    campaign_id: 'bench',
    idempotency_key: key,
  };
  let [earlyBytes, peakBytes, next] = [0, 0, LOOK_EVERY];
  let [earlyLiveBytes, lateLiveBytes] = [0, 0];
  const { accepted, rejected } = await client.sendBatch(header, recipients(count), {
    onProgress: ({ ackedThrough }) => {
      if (ackedThrough < next) return;
      next = ackedThrough + LOOK_EVERY;
      const { rssAnonBytes } = memoryOf([process.pid]);
      if (ackedThrough < count / 10) earlyBytes = Math.max(earlyBytes, rssAnonBytes);
      peakBytes = Math.max(peakBytes, rssAnonBytes);
      // Twice: a collection at each look would leave no garbage to see.
      if (earlyLiveBytes === 0) earlyLiveBytes = liveBytes();
      if (lateLiveBytes === 0 && ackedThrough > count * 0.95) lateLiveBytes = liveBytes();
    },
  });
  client.close();
  return { accepted, rejected, earlyBytes, peakBytes, earlyLiveBytes, lateLiveBytes };
}

/** The heap without garbage. */
function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

const [, , socketPath, key, count] = process.argv;
console.log(JSON.stringify(await send(socketPath!, key!, Number(count))));
