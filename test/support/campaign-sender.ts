/**
 * A campaign through `postrider/client` as a process that can be killed: socket, idempotency key, number of recipients,
 * and the number of those after which the source gives no more, as a source does that waits for its database.
 * Prints the result as JSON.
 */
import { once } from 'node:events';
import { type BatchRecipient, Postrider } from '../../src/client/index.ts';

const [, , socketPath, key, count, stallsAfter] = process.argv;
const client = new Postrider({ socketPath: socketPath! });

async function* audience(): AsyncGenerator<BatchRecipient> {
  for (let i = 1; i <= Number(count); i++) {
    yield { to: `r${i}@d${i % 50}.test`, vars: { name: `R ${i}` } };
    if (i === Number(stallsAfter)) await once(process, 'message');
  }
}

const header = {
  from: 'news@shop.test',
  parts: { from: 'news@shop.test', subject: 's', text: 'Hello {{name}}' },
  campaign_id: 'spring',
  idempotency_key: key!,
};
console.log(JSON.stringify(await client.sendBatch(header, audience())));
client.close();
