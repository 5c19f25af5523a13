/** A receiver that stops answering costs the configured time, not the mail. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { mail, receiver, routeTo, submit } from '../support/mta-world.ts';

/** Before MAIL a rule's `once` is by peer address, after it by recipient: the second attempt goes through. */
const PHASES = [
  ['greeting', 'greeting'],
  ['ehlo', 'ehlo'],
  ['mail', 'mail'],
  ['rcpt', 'rcpt'],
  ['data', 'data_init'],
  ['content', 'data_done'],
] as const;

describe('a receiver that falls silent', () => {
  for (const [phase, timeout] of PHASES)
    test(`at ${phase}`, async (t) => {
      const sink = await receiver(t, {
        rules: [{ phase, once: true, action: 'hang' }],
        capabilities: { chunking: false, pipelining: false },
      });
      const mta = await Mta.start(t, {
        routes: [routeTo(sink)],
        egress: { timeouts: { [timeout]: '300ms' } },
        retry_rules: [{ name: 'soon', type: 'fixed', interval: '500ms', attempts: 50 }],
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
        [told[0]?.type, told[1]?.type, told.at(-1)?.type],
        ['accepted', 'soft_bounce', 'delivered'],
      );
      assert.equal(told[1]?.reply?.phase, phase);
      assert.equal(told[1]?.bounce?.category, 'network');
      // On a machine that is busy a good answer may come too late as well.
      assert.ok(ofType(events, 'delivered')[0]!.attempt! >= 2);
    });
});
