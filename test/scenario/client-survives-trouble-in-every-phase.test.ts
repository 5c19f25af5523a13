/** Disconnect, silence, 421 and nonsense at each phase, with and without PIPELINING. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Phase, Refusal } from '../../src/core/index.ts';
import type { Timeouts } from '../../src/mta/smtp/client/index.ts';
import {
  BARE_EHLO,
  deadlines,
  FULL_EHLO,
  message,
  peerFor,
  refusalIn,
  refusalOf,
  sessionWith,
} from '../support/client-session.ts';

const PLAIN_PIPELINING = '250-mx.test\r\n250 PIPELINING';

/** Step of the script, the phase it is, and the deadline that watches it. */
const PHASES: readonly (readonly [string, Phase, keyof Timeouts])[] = [
  ['MAIL', 'mail', 'mailMs'],
  ['RCPT', 'rcpt', 'rcptMs'],
  ['DATA', 'data', 'dataInitMs'],
  ['content', 'content', 'dataDoneMs'],
];

const facts = (refusal: Refusal): readonly unknown[] => [
  refusal.scope,
  refusal.permanent,
  refusal.phase,
  refusal.reply?.code ?? refusal.cause,
  refusal.possiblyDelivered ?? false,
];

for (const [name, EHLO] of [
  ['pipelined', PLAIN_PIPELINING],
  ['step by step', BARE_EHLO],
] as const) {
  describe(`a transaction ${name}`, () => {
    for (const [step, phase, deadline] of PHASES) {
      const afterEnd = phase === 'content';

      test(`a disconnect at ${step} is transient`, async (t) => {
        const peer = await peerFor(t, { EHLO, [step]: [{ act: 'close' }] });
        const session = await sessionWith(t, peer);
        const result = await session.send(message('x\r\n'));
        assert.deepEqual(facts(refusalIn(result)), ['session', false, phase, 'disconnect', afterEnd]);
        assert.equal(result.reusable, false);
      });

      test(`silence at ${step} is ended by the deadline of the phase`, async (t) => {
        const peer = await peerFor(t, { EHLO, [step]: [{ act: 'hang' }] });
        const session = await sessionWith(t, peer, { timeouts: deadlines({ [deadline]: 30 }) });
        const result = await session.send(message('x\r\n'));
        assert.deepEqual(facts(refusalIn(result)), ['session', false, phase, 'timeout', afterEnd]);
        assert.equal(result.reusable, false);
        await peer.until(() => peer.links[0]!.closed);
      });

      test(`a 421 at ${step} ends the session, the message stays`, async (t) => {
        const peer = await peerFor(t, { EHLO, [step]: '421 4.3.2 going down' });
        const session = await sessionWith(t, peer);
        const result = await session.send(message('x\r\n'));
        assert.deepEqual(facts(refusalIn(result)), ['session', false, phase, 421, false]);
        assert.equal(session.usable, false);
        await peer.until(() => peer.links[0]!.closed);
      });

      for (const answer of ['hello there', '250-a\r\n251 b', phase === 'data' ? '250 ok' : '354 go']) {
        test(`${JSON.stringify(answer)} as an answer to ${step} ends the session`, async (t) => {
          const peer = await peerFor(t, { EHLO, [step]: answer });
          const session = await sessionWith(t, peer);
          const result = await session.send(message('x\r\n'));
          assert.deepEqual(facts(refusalIn(result)), ['session', false, phase, 'protocol', afterEnd]);
          assert.equal(result.reusable, false);
        });
      }
    }

    test('a recipient that was refused stays refused when the connection is lost', async (t) => {
      const RCPT = (line: string): string => (line.includes('bad') ? '550 5.1.1 no' : '250 ok');
      const peer = await peerFor(t, { EHLO, RCPT, content: [{ act: 'reset' }] });
      const session = await sessionWith(t, peer);
      const result = await session.send(message('x\r\n', { recipients: ['bad@to.test', 'good@to.test'] }));
      assert.deepEqual(facts(refusalIn(result, 0)), ['recipient', true, 'rcpt', 550, false]);
      assert.deepEqual(facts(refusalIn(result, 1)), ['session', false, 'content', 'disconnect', true]);
    });
  });
}

describe('with BDAT in the same write', () => {
  for (const [step, phase] of [
    ['MAIL', 'mail'],
    ['RCPT', 'rcpt'],
    ['BDAT', 'content'],
  ] as const) {
    test(`a loss at ${step} may be a delivery, because all was written`, async (t) => {
      const peer = await peerFor(t, { EHLO: FULL_EHLO, [step]: [{ act: 'close' }] });
      const session = await sessionWith(t, peer);
      const refusal = refusalIn(await session.send(message('x\r\n')));
      assert.deepEqual(facts(refusal), ['session', false, phase, 'disconnect', true]);
    });

    test(`a 421 at ${step} is not a delivery, because the peer said so`, async (t) => {
      const peer = await peerFor(t, { EHLO: FULL_EHLO, [step]: '421 4.3.2 going down' });
      const session = await sessionWith(t, peer);
      const refusal = refusalIn(await session.send(message('x\r\n')));
      assert.deepEqual(facts(refusal), ['session', false, phase, 421, false]);
    });
  }
});

describe('while a session is opened', () => {
  for (const [step, phase, deadline] of [
    ['greeting', 'greeting', 'greetingMs'],
    ['EHLO', 'ehlo', 'ehloMs'],
  ] as const) {
    for (const [name, answer, why] of [
      ['a disconnect', [{ act: 'close' }], 'disconnect'],
      ['silence', [{ act: 'hang' }], 'timeout'],
      ['a 421', '421 4.7.0 too many connections', 421],
      ['a 451', '451 4.7.1 later', 451],
      ['nonsense', 'hello', 'protocol'],
      ['a 354', '354 go', 'protocol'],
    ] as const) {
      test(`${name} at ${step} speaks of the host and is transient`, async (t) => {
        const peer = await peerFor(t, { [step]: answer });
        const refusal = await refusalOf(peer, { timeouts: deadlines({ [deadline]: 30 }) });
        assert.deepEqual(facts(refusal), ['host', false, phase, why, false]);
        await peer.until(() => peer.links[0]!.closed);
      });
    }
  }

  test('a 554 greeting is not permanent and keeps its words', async (t) => {
    const peer = await peerFor(t, { greeting: '554 5.7.1 your IP is listed' });
    const refusal = await refusalOf(peer);
    assert.deepEqual(facts(refusal), ['host', false, 'greeting', 554, false]);
    assert.equal(refusal.reply?.text, 'your IP is listed');
  });

  test('a reply before its command is not an answer to it', async (t) => {
    const peer = await peerFor(t, { greeting: '220 mx.test\r\n250 mx.test' });
    assert.equal((await refusalOf(peer)).cause, 'protocol');
  });
});

describe('a deadline', () => {
  test('of one phase does not cut the next one short', async (t) => {
    const peer = await peerFor(t, { EHLO: BARE_EHLO, content: [] });
    const session = await sessionWith(t, peer, { timeouts: deadlines({ mailMs: 20 }) });
    const sending = session.send(message('x\r\n'));
    await peer.until(() => peer.messages.length === 1);
    // Another session waits out a longer deadline, which is how this test knows that the short one has passed.
    const silent = await peerFor(t, { greeting: [] });
    assert.equal((await refusalOf(silent, { timeouts: deadlines({ greetingMs: 60 }) })).cause, 'timeout');
    peer.links[0]!.say('250 2.0.0 at last');
    assert.equal((await sending).lastReply?.text, 'at last');
  });
});
