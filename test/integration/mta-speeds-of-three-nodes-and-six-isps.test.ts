/**
 * Strategies hold, and change when the configuration is read again, without a session that ends for it.
 * The real program, three nodes and six ISPs with a strategy each, always mail, and an operator who locks, moves,
 * unlocks, drains and reloads meanwhile: no window of the journal has more than its strategy allows, receivers that
 * enforce the same limits with a small tolerance refuse nothing, nothing is lost and nothing comes twice.
 * Half a minute of mail at the most; POSTRIDER_LONG=1 makes it two minutes (`npm run bench:limits` writes LIMITS.md).
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import { BUILT, Mta, ofType, type Settings } from '../support/mta.ts';
import { batch, receiver, routeTo } from '../support/mta-world.ts';
import { mostIn } from '../support/windows.ts';

const LONG = process.env['POSTRIDER_LONG'] !== undefined;
const SECONDS = LONG ? 120 : 15;
const FIGURES = join(import.meta.dirname, '../../bench/LIMITS.md');
/** Messages in a window; a receiver sees arrivals, not departures, and the journal has the times of the replies. */
const RATES = [
  { name: 'a', count: 5, perMs: 1_000, burst: 1, sessions: 1 },
  { name: 'b', count: 20, perMs: 1_000, burst: 1, sessions: 2 },
  { name: 'c', count: 60, perMs: 1_000, burst: 1, sessions: 5 },
  { name: 'd', count: 40, perMs: 5_000, burst: 1, sessions: 3 },
  { name: 'e', count: 60, perMs: 5_000, burst: 20, sessions: 5 },
  { name: 'f', count: 30, perMs: 10_000, burst: 1, sessions: 1 },
] as const;
const RELOADS = LONG ? 40 : 4;
const NODES = [2, 3, 4].map((i) => ({ name: `n${i}`, address: `127.0.0.${i}`, hostname: `n${i}.test` }));
const TOLERANCE = 0.2;
/**
 * Part of the window. With one session a token is spent after the reply before it, so the replies to count + 1 messages
 * lie in a window that is shorter by the distance of two tokens, on however slow a machine.
 */
const late = ({ count }: Rate): number => Math.max(0.1, 1 / count);

type Rate = (typeof RATES)[number];

/** Less than the time, and than what locks and drains leave: what is left over must not end the test late. */
const wanted = ({ count, perMs }: Rate): number => Math.floor(((count * SECONDS * 1_000) / perMs) * 0.7);

interface Sent {
  readonly rate: Rate;
  readonly messages: number;
  /** Windows that begin with a message, most messages of one, and how many have more than the limit. */
  readonly windows: number;
  readonly most: number;
  readonly over: number;
}

function sentTo(rate: Rate, delivered: readonly Event[]): Sent {
  const windowMs = rate.perMs * (1 - late(rate));
  const [counts, messages] = [[] as number[], delivered.filter(({ isp }) => isp === rate.name)];
  for (const { name } of NODES) {
    const times = messages
      .filter(({ node }) => node === name)
      .map(({ time }) => Date.parse(time))
      .sort((a, b) => a - b);
    for (const [i, from] of times.entries())
      counts.push(
        mostIn(
          times.slice(i, i + rate.count + 2).filter((at) => at < from + windowMs),
          windowMs,
        ),
      );
  }
  const over = counts.filter((count) => count > rate.count).length;
  return { rate, messages: messages.length, windows: counts.length, most: Math.max(0, ...counts), over };
}

/** What an operator does, at parts of the time; each step is over before the next one begins. */
async function operate(mta: Mta, settings: Settings, delivered: (share: number) => Promise<unknown>) {
  const post = async (path: string, body: object): Promise<void> => {
    const { status, text } = await mta.api(path, { method: 'POST', body: JSON.stringify(body) });
    assert.ok(status === 200 || status === 202, `${path}: ${text}`);
  };
  await delivered(0.2);
  await post('/v1/nodes/n2/lock', { isp: 'c', waiting: 'move' });
  await post('/v1/nodes/n3/lock', { isp: 'b', waiting: 'wait' });
  await delivered(0.3);
  await post('/v1/nodes/n2/unlock', {});
  await post('/v1/nodes/n4/drain', {});
  mta.configure({ ...settings, timezone: 'Europe/Kyiv' });
  await post('/v1/config/reload', {});
  await delivered(0.4);
  await post('/v1/queue/move', { node: 'n4', isp: 'd', target: { node: 'n2' } });
  await post('/v1/nodes/n3/unlock', {});
  await post('/v1/nodes/n4/resume', {});
  await delivered(0.5);
  mta.configure(settings);
  await post('/v1/config/reload', {});
}

/** ms from the request, of each reload to a faster strategy: to its answer, and to a message of each node at that speed. */
interface Reloaded {
  readonly answered: number[];
  readonly faster: number[];
}
const reloaded: Reloaded = { answered: [], faster: [] };

test('a reload changes the speed of all nodes, and their sessions go on', async (t) => {
  const sink = await receiver(t);
  const speed = (rate: string): Settings => ({
    strategies: [{ name: 'own', rate, concurrent_connections: 1, messages_per_connection: 100_000 }],
  });
  const mta = await Mta.prepare(t, {
    routes: [routeTo(sink)],
    nodes: NODES,
    ...speed('1/1h'),
    egress: { timeouts: { idle: '10m' } },
    senders: [
      { name: 'shop', nodes: NODES.map(({ name }) => ({ node: name })), strategies: { default: 'own' } },
    ],
  });
  if (LONG) mta.program = BUILT;
  await mta.start();
  const came = async (count: number): Promise<void> =>
    assert.ok(await sink.until(({ recipients }) => recipients >= count), `${count} messages come`);
  const reload = async (rate: string): Promise<void> => {
    mta.configure(speed(rate));
    const { status, text } = await mta.api('/v1/config/reload', { method: 'POST' });
    assert.equal(status, 200, text);
  };
  const nodes = NODES.length;
  for (let round = 0; round < RELOADS / 2; round++) {
    const body = batch(2 * nodes, () => `r${round}.test`);
    assert.equal((await mta.api('/v1/batches', { type: 'application/x-ndjson', body })).status, 200);
    await came(2 * round * nodes + nodes); // the others have no token for an hour
    const began = performance.now();
    await Promise.all([
      reload('100/1s').then(() => reloaded.answered.push(performance.now() - began)),
      came(2 * (round + 1) * nodes).then(() => reloaded.faster.push(performance.now() - began)),
    ]);
    await reload('1/1h');
  }
  assert.deepEqual([sink.stats().connections, sink.stats().duplicates], [nodes, 0]);
  await mta.end();
});

test('no window over the limit, nothing refused', { timeout: (SECONDS + 120) * 1_000 }, async (t) => {
  const sinks = await Promise.all(
    RATES.map(({ count, perMs }) =>
      receiver(t, { rateLimit: { count, perMs, tolerance: TOLERANCE, code: 450 } }),
    ),
  );
  const settings: Settings = {
    routes: RATES.map(({ name }, i) => routeTo(sinks[i]!, `${name}.test`)),
    nodes: NODES,
    isps: RATES.map(({ name }) => ({ name, domains: [`${name}.test`] })),
    strategies: RATES.map(({ name, count, perMs, burst, sessions }) => ({
      ...{ name, burst, rate: `${count}/${perMs / 1_000}s` },
      ...{ concurrent_connections: sessions, messages_per_connection: 50 },
    })),
    senders: [
      {
        name: 'shop',
        nodes: NODES.map(({ name }) => ({ node: name })),
        strategies: Object.fromEntries(RATES.map(({ name }) => [name, name])),
      },
    ],
  };
  const mta = await Mta.prepare(t, settings);
  if (LONG) mta.program = BUILT;
  await mta.start();
  const recipients = RATES.flatMap((rate) =>
    Array.from({ length: wanted(rate) * NODES.length }, (_, i) => `r${i}@${rate.name}.test`),
  );
  const head = {
    ...{ from: 'news@shop.test', sender: 'shop' },
    parts: { from: 'news@shop.test', subject: 's', text: 't' },
  };
  const lines = recipients.map((to) => JSON.stringify({ to }));
  const began = performance.now();
  const answer = await mta.api('/v1/batches', {
    type: 'application/x-ndjson',
    body: [JSON.stringify(head), ...lines, ''].join('\n'),
  });
  assert.equal(answer.status, 200, answer.text);
  const deadlineMs = (SECONDS + 90) * 1_000;
  await operate(mta, settings, (share) => mta.settled(recipients.length * share, deadlineMs));
  await mta.settled(recipients.length, deadlineMs);
  const seconds = Math.round((performance.now() - began) / 1_000);
  const events = await mta.end();

  const delivered = ofType(events, 'delivered');
  const sent = RATES.map((rate) => sentTo(rate, delivered));
  for (const { rate, most, over } of sent) assert.equal(over, 0, `${rate.name}: ${most} of ${rate.count}`);
  const refused = sinks.reduce((sum, sink) => sum + sink.stats().rateExceeded, 0);
  const duplicates = sinks.reduce((sum, sink) => sum + sink.stats().duplicates, 0);
  assert.deepEqual([refused, duplicates, ofType(events, 'soft_bounce').length], [0, 0, 0]);
  assert.deepEqual(
    sinks.map((sink) => sink.stats().recipients),
    RATES.map((rate) => wanted(rate) * NODES.length),
  );
  const moved = ofType(events, 'moved').length;
  assert.ok(moved > 0);
  if (LONG) writeFileSync(FIGURES, page({ sent, seconds, moved, refused, duplicates }));
});

interface Outcome {
  readonly sent: readonly Sent[];
  readonly seconds: number;
  readonly moved: number;
  readonly refused: number;
  readonly duplicates: number;
}

const most = (ms: readonly number[]): number => Math.ceil(Math.max(...ms));
const middle = (ms: readonly number[]): number =>
  Math.ceil(ms.toSorted((a, b) => a - b)[Math.floor(ms.length / 2)]!);

function page({ sent, seconds, moved, refused, duplicates }: Outcome): string {
  const total = sent.reduce((sum, { messages }) => sum + messages, 0);
  const over = sent.reduce((sum, one) => sum + one.over, 0);
  const rows = sent.map(
    ({ rate, messages, windows, most: largest, over: more }) =>
      `| ${rate.name} | ${rate.count} in ${rate.perMs / 1_000} s, burst ${rate.burst} | ${rate.sessions} | ${messages.toLocaleString('en')} | ${windows.toLocaleString('en')} | ${largest} | ${more} |`,
  );
  return `# Limits while sending

Written by \`npm run bench:limits\`; do not edit.

The built program on three nodes towards six ISPs, each pair with the limit of its row and always mail, on loopback. Meanwhile an
operator locks two pairs (mail waits, mail moves), unlocks them, drains and resumes a node, moves a queue, and reloads twice. A
window begins with each message of the journal and node; its times are those of the replies, so a window is as much shorter
as the distance of two tokens (at least 10 %). The receivers enforce the same limits with ${TOLERANCE * 100} % tolerance.

**${over} of ${sent.reduce((sum, { windows }) => sum + windows, 0).toLocaleString('en')} windows over the limit; ${refused} refused; ${total.toLocaleString('en')} delivered in ${seconds} s, ${moved} of them moved; 0 lost, ${duplicates} duplicates.**

Of ${RELOADS} reloads that make the strategy of all nodes faster and slower in turn, one session of each node open, the faster ones: answered after
${most(reloaded.answered)} ms at the most (median ${middle(reloaded.answered)}), a message of each node at the faster speed after ${most(reloaded.faster)} ms (median ${middle(reloaded.faster)}), both from
the request; no session ended.

| ISP | limit of each node | sessions | messages | windows | most in a window | over |
|---|---|--:|--:|--:|--:|--:|
${rows.join('\n')}
`;
}
