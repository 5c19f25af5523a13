/**
 * The real program, three nodes and six ISPs with a strategy each, always mail: no window of the journal has more than
 * its strategy allows, and receivers that enforce the same limits with a small tolerance refuse nothing.
 * Half a minute of mail at the most; POSTRIDER_LONG=1 makes it two minutes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { receiver, routeTo } from '../support/mta-world.ts';

const SECONDS = process.env['POSTRIDER_LONG'] ? 120 : 15;
/** Messages in a window; a receiver sees arrivals, not departures, and the journal has the times of the replies. */
const RATES = [
  { name: 'a', count: 5, perMs: 1_000, burst: 1, sessions: 1 },
  { name: 'b', count: 20, perMs: 1_000, burst: 1, sessions: 2 },
  { name: 'c', count: 60, perMs: 1_000, burst: 1, sessions: 5 },
  { name: 'd', count: 40, perMs: 5_000, burst: 1, sessions: 3 },
  { name: 'e', count: 60, perMs: 5_000, burst: 20, sessions: 5 },
  { name: 'f', count: 30, perMs: 10_000, burst: 1, sessions: 1 },
] as const;
const TOLERANCE = 0.2;
/**
 * Part of the window. With one session a token is spent after the reply before it, so the replies to count + 1 messages
 * lie in a window that is shorter by the distance of two tokens, on however slow a machine.
 */
const late = ({ count }: Rate): number => Math.max(0.1, 1 / count);

type Rate = (typeof RATES)[number];

/** Less than the time: what is left over must not end the test late. */
const wanted = ({ count, perMs }: Rate): number => Math.floor(((count * SECONDS * 1_000) / perMs) * 0.8);

function mostIn(times: readonly number[], windowMs: number): number {
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last++) {
    while (times[last]! - times[first]! >= windowMs) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

test('no window over the limit, nothing refused', { timeout: (SECONDS + 120) * 1_000 }, async (t) => {
  const nodes = [2, 3, 4].map((i) => ({ name: `n${i}`, address: `127.0.0.${i}`, hostname: `n${i}.test` }));
  const sinks = await Promise.all(
    RATES.map(({ count, perMs }) =>
      receiver(t, { rateLimit: { count, perMs, tolerance: TOLERANCE, code: 450 } }),
    ),
  );
  const mta = await Mta.start(t, {
    routes: RATES.map(({ name }, i) => routeTo(sinks[i]!, `${name}.test`)),
    nodes,
    isps: RATES.map(({ name }) => ({ name, domains: [`${name}.test`] })),
    strategies: RATES.map(({ name, count, perMs, burst, sessions }) => ({
      name,
      rate: `${count}/${perMs / 1_000}s`,
      burst,
      concurrent_connections: sessions,
      messages_per_connection: 50,
    })),
    senders: [
      {
        name: 'shop',
        nodes: nodes.map(({ name }) => ({ node: name })),
        strategies: Object.fromEntries(RATES.map(({ name }) => [name, name])),
      },
    ],
  });
  const recipients = RATES.flatMap((rate) =>
    Array.from({ length: wanted(rate) * nodes.length }, (_, i) => `r${i}@${rate.name}.test`),
  );
  const head = {
    from: 'news@shop.test',
    sender: 'shop',
    parts: { from: 'news@shop.test', subject: 's', text: 't' },
  };
  const lines = recipients.map((to) => JSON.stringify({ to }));
  const answer = await mta.api('/v1/batches', {
    type: 'application/x-ndjson',
    body: [JSON.stringify(head), ...lines, ''].join('\n'),
  });
  assert.equal(answer.status, 200, answer.text);
  await mta.settled(recipients.length, (SECONDS + 90) * 1_000);
  const events = await mta.end();

  const delivered = ofType(events, 'delivered');
  assert.equal(delivered.length, recipients.length);
  for (const rate of RATES) {
    for (const node of nodes) {
      const times = delivered
        .filter((event) => event.isp === rate.name && event.node === node.name)
        .map(({ time }) => Date.parse(time))
        .sort((a, b) => a - b);
      const { count, perMs } = rate;
      const most = mostIn(times, perMs * (1 - late(rate)));
      assert.ok(most <= count, `${node.name} ${rate.name}: ${most} of ${count} in ${perMs} ms`);
    }
  }
  for (const sink of sinks) assert.equal(sink.stats().rateExceeded, 0);
  assert.equal(ofType(events, 'soft_bounce').length, 0);
});
