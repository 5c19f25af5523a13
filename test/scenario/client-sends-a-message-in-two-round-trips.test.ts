/** PIPELINING (RFC 2920): the peer says nothing until it has seen DATA, so anything but one write would wait for ever. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FULL_EHLO, message, outcomes, peerFor, refusalIn, sessionWith } from '../support/client-session.ts';

const silentUntilData = {
  RSET: [],
  MAIL: [],
  RCPT: [],
  DATA: (_line: string, count: number) =>
    `${count > 1 ? '250 reset\r\n' : ''}250 sender\r\n250 one\r\n550 5.1.1 two\r\n354 go`,
};

describe('with PIPELINING', () => {
  test('the envelope is one write and the content the next', async (t) => {
    const peer = await peerFor(t, silentUntilData);
    const session = await sessionWith(t, peer);
    const result = await session.send(
      message('A: b\r\n\r\n.x\r\n', { recipients: ['a@to.test', 'b@to.test'] }),
    );
    assert.deepEqual(outcomes(result), [250, 550]);
    assert.deepEqual(peer.messages, [{ content: 'A: b\r\n\r\n..x\r\n', how: 'DATA' }]);
    assert.equal(result.reusable, true);
    assert.equal(result.phase, 'content');
    assert.deepEqual(result.lastReply, { code: 250, enhanced: '2.0.0', text: 'queued' });
  });

  test('dots are left alone when no line is said to start with one', async (t) => {
    const peer = await peerFor(t);
    const session = await sessionWith(t, peer);
    await session.send(message('A: b\r\n\r\nx.\r\n', { dotLine: false }));
    assert.equal(peer.messages[0]?.content, 'A: b\r\n\r\nx.\r\n');
  });

  test('content without a last line break gets one', async (t) => {
    const peer = await peerFor(t);
    const session = await sessionWith(t, peer);
    assert.deepEqual(outcomes(await session.send(message('A: b\r\n\r\nend'))), [250]);
    assert.equal(peer.messages[0]?.content, 'A: b\r\n\r\nend\r\n');
  });

  test('a session takes one message after the other, with the parameters each needs', async (t) => {
    const peer = await peerFor(t, { EHLO: FULL_EHLO.replace('250-CHUNKING\r\n', '') });
    const session = await sessionWith(t, peer);
    await session.send(message('é\r\n', { from: '', eightBit: true }));
    await session.send(message('abc\r\n', { recipients: ['почта@to.test'], smtpUtf8: true }));
    assert.deepEqual(peer.lines.slice(1), [
      'MAIL FROM:<> SIZE=4 BODY=8BITMIME',
      'RCPT TO:<one@to.test>',
      'DATA',
      'MAIL FROM:<sender@from.test> SIZE=5 SMTPUTF8',
      'RCPT TO:<почта@to.test>',
      'DATA',
    ]);
    assert.equal(session.transactions, 2);
  });

  test('RSET travels in the same write after a transaction that was not finished', async (t) => {
    const peer = await peerFor(t, {
      ...silentUntilData,
      DATA: (_line, count) =>
        count === 1 ? '250 sender\r\n550 one\r\n503 nobody' : '250 reset\r\n250 sender\r\n250 one\r\n354 go',
    });
    const session = await sessionWith(t, peer);
    assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [550]);
    assert.deepEqual(outcomes(await session.send(message('y\r\n'))), [250]);
    assert.deepEqual(peer.verbs.slice(4), ['RSET', 'MAIL', 'RCPT', 'DATA']);
  });

  test('no RSET is sent after a transaction that was finished, well or badly', async (t) => {
    const peer = await peerFor(t, { content: (_line, count) => (count === 1 ? '554 5.7.1 no' : '250 ok') });
    const session = await sessionWith(t, peer);
    assert.equal(refusalIn(await session.send(message('x\r\n'))).phase, 'content');
    assert.deepEqual(outcomes(await session.send(message('y\r\n'))), [250]);
    assert.equal(peer.verbs.includes('RSET'), false);
  });

  test('a RSET that is refused ends the session', async (t) => {
    const peer = await peerFor(t, { RCPT: '550 no', DATA: '503 nobody', RSET: '500 what' });
    const session = await sessionWith(t, peer);
    await session.send(message('x\r\n'));
    const refusal = refusalIn(await session.send(message('y\r\n')));
    assert.deepEqual([refusal.scope, refusal.cause, refusal.permanent], ['session', 'protocol', false]);
    assert.equal(session.usable, false);
  });
});

describe('the token of a recipient', () => {
  test('is spent before the write that carries RCPT', async (t) => {
    const peer = await peerFor(t);
    const other = await peerFor(t);
    const session = await sessionWith(t, peer);
    const spent: string[][] = [];
    const beforeRcpt = async (): Promise<void> => {
      // Some round trips, so that the peer would have seen what was written too early.
      await (await sessionWith(t, other)).quit();
      spent.push([...peer.verbs]);
    };
    assert.deepEqual(outcomes(await session.send(message('x\r\n', { beforeRcpt }))), [250]);
    assert.deepEqual(spent, [['EHLO']]);
  });

  test('is spent after MAIL was accepted where commands go one by one, and not at all when it was refused', async (t) => {
    const peer = await peerFor(t, {
      EHLO: '250 mx.test',
      MAIL: (_line, count) => (count === 1 ? '250 ok' : '550 no'),
    });
    const session = await sessionWith(t, peer);
    const spent: string[][] = [];
    const beforeRcpt = (): void => void spent.push([...peer.verbs]);
    await session.send(message('x\r\n', { beforeRcpt, recipients: ['a@to.test', 'b@to.test'] }));
    await session.send(message('x\r\n', { beforeRcpt }));
    assert.deepEqual(spent, [['EHLO', 'MAIL']]);
  });

  test('a limiter that throws leaves the session in order', async (t) => {
    const peer = await peerFor(t, { EHLO: '250 mx.test' });
    const session = await sessionWith(t, peer);
    const beforeRcpt = (): void => {
      throw new Error('a bug');
    };
    await assert.rejects(session.send(message('x\r\n', { beforeRcpt })), /a bug/);
    assert.deepEqual(outcomes(await session.send(message('y\r\n'))), [250]);
    assert.deepEqual(peer.verbs, ['EHLO', 'MAIL', 'RSET', 'MAIL', 'RCPT', 'DATA']);
  });
});
