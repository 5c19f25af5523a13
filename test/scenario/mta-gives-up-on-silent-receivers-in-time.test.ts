/** A receiver that stops answering costs the configured time, not the mail. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const TIMEOUTS = Object.fromEntries(
  ['connect', 'greeting', 'ehlo', 'mail', 'rcpt', 'data_init', 'data_block', 'data_done'].map((name) => [
    name,
    '300ms',
  ]),
);

/** Before MAIL a rule's `once` is by peer address, after it by recipient: the second attempt goes through. */
const PHASES = [
  ['greeting', 'greeting'],
  ['ehlo', 'ehlo'],
  ['mail', 'mail'],
  ['rcpt', 'rcpt'],
  ['data', 'data'],
  ['content', 'content'],
] as const;

describe('a receiver that falls silent', () => {
  for (const [phase, reported] of PHASES)
    test(`at ${phase}`, async (t) => {
      const sink = await receiver(t, {
        rules: [{ phase, once: true, action: 'hang' }],
        capabilities: { chunking: false, pipelining: false },
      });
      const mta = await Mta.start(t, {
        routes: [routeTo(sink)],
        egress: { timeouts: TIMEOUTS },
        retry_rules: [{ name: 'soon', type: 'fixed', interval: '500ms', attempts: 5 }],
        senders: [
          { name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'unlimited' }, retry: 'soon' },
        ],
      });
      const session = await mta.session();
      assert.ok((await submit(session, 'a@to.test', mail('a@to.test'))).recipients[0]?.ok);
      await session.quit();
      await mta.settled(1);
      const events = await mta.end();
      const told = events.filter(({ recipient }) => recipient !== undefined);
      assert.deepEqual(
        told.map(({ type }) => type),
        ['accepted', 'soft_bounce', 'delivered'],
      );
      assert.equal(told[1]?.reply?.phase, reported);
      assert.equal(told[1]?.bounce?.category, 'network');
      assert.deepEqual(
        ofType(events, 'delivered').map(({ attempt }) => attempt),
        [2],
      );
    });
});
