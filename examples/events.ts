/** What becomes of the mail, for ever, also over restarts of the server. Run: node examples/events.ts [SOCKET] */
import { Postrider } from 'postrider/client';

const postrider = new Postrider({ socketPath: process.argv[2] ?? '/run/postrider/control.sock' });
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

// Keep the last `seq` with what you make of the events: from there it goes on next time.
const after = 0;
const events = postrider.events({
  after,
  types: ['accepted', 'delivered', 'hard_bounce', 'undelivered'],
  follow: true,
  signal: stop.signal,
  onGap: ({ after: last, first }) => console.error(`events ${last + 1} to ${first - 1} are gone`),
});
for await (const { seq, type, recipient, reply } of events)
  console.log([seq, type, recipient, reply?.text].filter(Boolean).join(' '));
postrider.close();
