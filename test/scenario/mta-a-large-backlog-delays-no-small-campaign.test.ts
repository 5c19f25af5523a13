/**
 * The program with a large campaign waiting at a slow receiver: priority mail, geo mail and a campaign of ten pass it.
 * What is counted is how many of the large campaign go between the acceptance of the others and their delivery, by
 * the numbers of the journal.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import { ends, Mta, ofType } from '../support/mta.ts';
import { batch, receiver, routeTo } from '../support/mta-world.ts';

const BACKLOG = Number(process.env['POSTRIDER_BACKLOG'] ?? 20_000);
/** Two deliveries of each connection are in memory already and are not overtaken; as many may be on their way. */
const SESSIONS = 3;
const IN_MEMORY = SESSIONS * 4;
const isBig = (event: Event): boolean => event.campaign_id === 'big';

const campaign = (count: number, labels: object, domainOf?: (i: number) => string): string => {
  const [head, ...lines] = batch(count, domainOf).split('\n');
  return [JSON.stringify({ ...(JSON.parse(head!) as object), ...labels }), ...lines].join('\n');
};

test(
  'a backlog delays priority, geo and ten messages by a few of its own',
  { timeout: 300_000 },
  async (t) => {
    const sink = await receiver(t);
    const mta = await Mta.start(t, {
      routes: [routeTo(sink)],
      isps: [{ name: 'to', domains: ['to.test', 'also.test'] }],
      strategies: [
        { name: 'slow', rate: '100/1s', concurrent_connections: SESSIONS, messages_per_connection: 1000 },
      ],
      senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'slow' } }],
    });
    const post = async (body: string): Promise<void> => {
      const { status, text } = await mta.api('/v1/batches', { type: 'application/x-ndjson', body });
      assert.equal(status, 200, text);
    };
    const domains = ['to.test', 'also.test'];
    await post(campaign(BACKLOG, { campaign_id: 'big' }, (i) => domains[i % 2]!));
    assert.ok(await sink.until(({ recipients }) => recipients > 50));
    const deadline = new Date(Date.now() + 3_600_000).toISOString();
    const others = [
      { id: 'now', count: 1, labels: { band: 'priority' }, turns: 1 },
      { id: 'zone', count: 5, labels: { band: 'geo', deadline }, turns: 5 },
      { id: 'ten', count: 10, labels: {}, turns: 10 },
    ];
    for (const { id, count, labels, turns } of others) {
      const after = (await mta.events('after=-1'))[0]!.seq;
      await post(campaign(count, { campaign_id: id, ...labels }));
      const events = await mta.until(
        (all) => ends(all).filter((event) => event.campaign_id === id).length === count,
        60_000,
        after,
      );
      const first = events.find((event) => event.campaign_id === id)!.seq;
      const last = ofType(events, 'delivered').findLast((event) => event.campaign_id === id)!.seq;
      const passed = ofType(events, 'delivered').filter(
        (event) => isBig(event) && event.seq > first && event.seq < last,
      ).length;
      t.diagnostic(`${id}: ${passed} of the backlog went first`);
      assert.ok(passed <= turns + IN_MEMORY, `${id}: ${passed} of the backlog went first`);
    }
    const waiting = (await mta.status()).queue.total;
    assert.ok(waiting > BACKLOG / 2, `${waiting} still wait: there was a backlog all the time`);
    await mta.kill('SIGTERM');
  },
);
