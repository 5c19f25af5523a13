/** One message. Run: node examples/send.ts [SOCKET] */
import { Postrider, PostriderError } from 'postrider/client';

const postrider = new Postrider({ socketPath: process.argv[2] ?? '/run/postrider/control.sock' });

try {
  const { message_id: id, deliveries } = await postrider.send({
    envelope: { from: 'news@example.com', to: ['ann@example.net'] },
    parts: { from: 'News <news@example.com>', subject: 'Hello', text: 'Hello Ann', html: '<p>Hello Ann</p>' },
    campaign_id: 'welcome',
    idempotency_key: 'welcome-ann', // sent again after a failure, it is still one message
  });
  console.log(`accepted ${id}`);
  for (const { id: delivery } of deliveries) {
    const { state, why_waiting: why } = await postrider.delivery(delivery);
    console.log(`${delivery} ${state}${why === undefined ? '' : `: ${why}`}`);
  }
} catch (error) {
  if (!(error instanceof PostriderError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
} finally {
  postrider.close();
}
