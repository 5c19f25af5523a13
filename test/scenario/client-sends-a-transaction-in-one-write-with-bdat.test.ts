/** CHUNKING (RFC 3030): the peer says nothing until the chunk has arrived, so the transaction must be one write. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FULL_EHLO, message, outcomes, peerFor, refusalIn, sessionWith } from '../support/client-session.ts';

describe('with CHUNKING', () => {
  test('the whole transaction takes one round trip, dots stay as they are', async (t) => {
    const peer = await peerFor(t, {
      EHLO: FULL_EHLO,
      MAIL: [],
      RCPT: [],
      BDAT: '250 sender\r\n250 one\r\n250 2.0.0 taken',
    });
    const session = await sessionWith(t, peer);
    const result = await session.send(message('A: b\r\n\r\n.\r\n.x'));
    assert.deepEqual(outcomes(result), [250]);
    assert.deepEqual(peer.messages, [{ content: 'A: b\r\n\r\n.\r\n.x', how: 'BDAT' }]);
  });

  test('refused recipients stay apart', async (t) => {
    const peer = await peerFor(t, {
      EHLO: FULL_EHLO,
      RCPT: (line) => (line.includes('bad') ? '550 no' : '250 ok'),
    });
    const session = await sessionWith(t, peer);
    const recipients = ['bad1@to.test', 'good@to.test', 'bad2@to.test'];
    assert.deepEqual(outcomes(await session.send(message('x\r\n', { recipients }))), [550, 250, 550]);
  });

  for (const answer of ['503 5.5.1 no recipients', '554 5.5.1 no valid recipients', '250 2.0.0 thanks']) {
    test(`nobody accepted and BDAT answered with ${answer.slice(0, 3)}: refused by RCPT, RSET comes next`, async (t) => {
      const peer = await peerFor(t, {
        EHLO: FULL_EHLO,
        RCPT: (_line, count) => (count === 1 ? '550 5.1.1 no' : '250 ok'),
        BDAT: (_line, count) => (count === 1 ? answer : '250 ok'),
      });
      const session = await sessionWith(t, peer);
      const first = await session.send(message('x\r\n'));
      assert.deepEqual([outcomes(first), refusalIn(first).scope, first.reusable], [[550], 'recipient', true]);
      assert.deepEqual(outcomes(await session.send(message('y\r\n'))), [250]);
      assert.equal(peer.verbs.includes('RSET'), !answer.startsWith('250'));
    });
  }

  test('a refused chunk is a refused message, RSET comes next', async (t) => {
    const peer = await peerFor(t, {
      EHLO: FULL_EHLO,
      BDAT: (_line, count) => (count === 1 ? '451 later' : '250 ok'),
    });
    const session = await sessionWith(t, peer);
    const refusal = refusalIn(await session.send(message('x\r\n')));
    assert.deepEqual([refusal.scope, refusal.permanent, refusal.phase], ['message', false, 'content']);
    assert.deepEqual(outcomes(await session.send(message('y\r\n'))), [250]);
    assert.equal(peer.verbs.filter((verb) => verb === 'RSET').length, 1);
  });

  test('large content waits until somebody is accepted', async (t) => {
    const big = 'x'.repeat(1024 * 1024) + '\r\n';
    const peer = await peerFor(t, {
      EHLO: FULL_EHLO,
      RCPT: (_line, count) => (count === 1 ? '550 no' : '250 ok'),
    });
    const session = await sessionWith(t, peer);
    assert.deepEqual(outcomes(await session.send(message(big))), [550]);
    assert.equal(peer.verbs.includes('BDAT'), false);
    assert.deepEqual(outcomes(await session.send(message(big))), [250]);
    assert.equal(peer.messages[0]?.content.length, big.length);
  });

  test('a peer without PIPELINING gets its commands one by one', async (t) => {
    const peer = await peerFor(t, { EHLO: '250-mx.test\r\n250 CHUNKING' });
    const session = await sessionWith(t, peer);
    assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [250]);
    assert.deepEqual(peer.verbs, ['EHLO', 'MAIL', 'RCPT', 'BDAT']);
  });

  test('it is left alone when the options say so', async (t) => {
    const peer = await peerFor(t, { EHLO: FULL_EHLO });
    const session = await sessionWith(t, peer, { chunking: false });
    await session.send(message('x\r\n'));
    assert.deepEqual(peer.verbs, ['EHLO', 'MAIL', 'RCPT', 'DATA']);
  });

  test('lost before the answer, the message may have been delivered', async (t) => {
    const peer = await peerFor(t, { EHLO: FULL_EHLO, BDAT: [{ act: 'close' }] });
    const session = await sessionWith(t, peer);
    const refusal = refusalIn(await session.send(message('x\r\n')));
    assert.deepEqual(
      [refusal.scope, refusal.cause, refusal.possiblyDelivered],
      ['session', 'disconnect', true],
    );
  });
});
