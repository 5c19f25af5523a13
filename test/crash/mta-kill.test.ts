/**
 * kill -9 of the whole program with mail on the wire, and a start after it: everything arrives, and twice at most
 * what was leased. The receiver holds its answers back, so what it has read to the end is what may arrive twice; what was leased beside it had not begun.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ends, Mta, ofType } from '../support/mta.ts';
import { batch, eventually, gate, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const QUEUED = 5_000;
const LEASED = 500;
const SESSIONS = 500;

test(
  '5,000 queued, 500 of them leased: all arrive, and none twice that was not leased',
  { timeout: 120_000 },
  async (t) => {
    const held = await gate(t);
    const strategy = { name: 'own', concurrent_connections: SESSIONS, messages_per_connection: 1 };
    const mta = await Mta.start(t, {
      routes: [routeTo(held)],
      strategies: [strategy],
      nodes: [{ name: 'n1', address: '127.0.0.2', hostname: 'n1.test', max_sessions: SESSIONS }],
      senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'own' } }],
    });
    const answer = await mta.api('/v1/batches', {
      type: 'application/x-ndjson',
      body: batch(QUEUED, (i) => `d${i % 20}.test`),
    });
    assert.equal(answer.status, 200);
    await eventually(() => held.held.size === SESSIONS, `${SESSIONS} messages are at the receiver`);
    const { queue } = await mta.status();
    assert.equal(queue.total, QUEUED);
    assert.ok(queue.proc >= LEASED, `${queue.proc} are leased`);
    assert.deepEqual(await mta.kill('SIGKILL'), { code: null, signal: 'SIGKILL' });
    await mta.audit();

    await held.close();
    const sink = await receiver(t);
    mta.configure({ routes: [routeTo(sink)] });
    await mta.start();
    const told = mta.log.find(({ msg }) => msg.includes('may arrive twice'));
    const returned = Number(told?.['returned']);
    const begun = Number(told?.['possibleDuplicates']);
    await mta.settled(QUEUED, 60_000);
    const events = await mta.end();

    assert.equal(ofType(events, 'delivered').length, QUEUED);
    assert.equal(ends(events).length, QUEUED);
    assert.deepEqual([sink.stats().distinctRecipients, sink.stats().duplicates], [QUEUED, 0]);
    const possible = ofType(events, 'delivered').filter((event) => event.possible_duplicate);
    assert.equal(possible.length, begun, 'exactly what had begun to send its content is marked');
    assert.ok(begun >= LEASED && begun < returned, `${begun} of ${returned} leased ones had begun`);
    assert.ok(
      returned >= LEASED && returned <= queue.proc + SESSIONS,
      `${returned} returned, ${queue.proc} leased`,
    );
    const marked = new Set(possible.map(({ recipient }) => recipient));
    const twice = [...held.held].filter((recipient) => !marked.has(recipient));
    assert.deepEqual(twice, [], 'what arrived before the kill is marked');
  },
);

/** Sends messages over one session until it breaks; `acknowledged` gets the recipients of those answered 250. */
async function submitUntilCut(mta: Mta, name: string, acknowledged: Set<string>): Promise<void> {
  const session = await mta.session();
  for (let i = 0; session.usable; i++) {
    const to = `${name}-${i}@to.test`;
    const sent = await submit(session, to, mail(to));
    if (sent.recipients[0]?.ok) acknowledged.add(to);
  }
}

test(
  'kill -9 again and again while mail comes in: what was answered 250 arrives',
  { timeout: 120_000 },
  async (t) => {
    const arrived = new Set<string>();
    const sink = await receiver(t, {
      onMessage: ({ recipients }) => recipients.forEach((recipient) => arrived.add(recipient)),
    });
    const mta = await Mta.start(t, { routes: [routeTo(sink)] });
    const acknowledged = new Set<string>();
    for (let round = 0; round < 4; round++) {
      const target = acknowledged.size + 300;
      const names = Array.from({ length: 10 }, (_, i) => `r${round}-s${i}`);
      const sending = names.map((name) => submitUntilCut(mta, name, acknowledged));
      await eventually(() => acknowledged.size >= target, '300 more are acknowledged');
      await mta.kill('SIGKILL');
      await Promise.all(sending);
      await mta.audit();
      await mta.start();
      assert.ok((await mta.status()).counters.accepted >= acknowledged.size);
    }
    await eventually(async () => (await mta.status()).queue.total === 0, 'the queue is empty');
    const events = await mta.end();
    assert.deepEqual(
      [...acknowledged].filter((recipient) => !arrived.has(recipient)),
      [],
      'nothing is lost',
    );
    const possible = ofType(events, 'delivered').filter((event) => event.possible_duplicate).length;
    const { duplicates, distinctRecipients } = sink.stats();
    assert.equal(distinctRecipients, ofType(events, 'accepted').length);
    assert.ok(duplicates <= possible, `${duplicates} twice, ${possible} were possible`);
  },
);
