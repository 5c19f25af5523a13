/** A campaign from any source of recipients, in constant memory. Run: node examples/campaign.ts [SOCKET] */
import { Postrider, type BatchRecipient } from 'postrider/client';

const postrider = new Postrider({ socketPath: process.argv[2] ?? '/run/postrider/control.sock' });

/** Or an async generator over a database: it is read as fast as the server takes it. */
function* audience(): Generator<BatchRecipient> {
  for (let i = 1; i <= 5_000; i++) yield { to: `reader${i}@example.net`, vars: { name: `Reader ${i}` } };
  yield { to: 'no address', vars: { name: 'Nobody' } };
}

const campaign = postrider.batch(
  {
    from: 'news@example.com',
    parts: {
      from: 'News <news@example.com>',
      subject: 'Hello {{name}}',
      html: '<p>Hello {{name}}</p>',
      text: 'Hello {{name}}',
    },
    campaign_id: 'spring',
    idempotency_key: 'spring-2026', // run again after a crash of this program, it goes on where it was
  },
  audience(),
);

let step = await campaign.next();
for (; !step.done; step = await campaign.next()) {
  const { ackedThrough, accepted, rejected } = step.value;
  for (const { line, field, message } of rejected) console.error(`line ${line}: ${field}: ${message}`);
  if (ackedThrough % 1000 === 1) console.log(`${accepted} accepted`);
}
const { messageId, accepted, rejected } = step.value;
console.log(`${messageId}: ${accepted} accepted, ${rejected} rejected`);
postrider.close();
