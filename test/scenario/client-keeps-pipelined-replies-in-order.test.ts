import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { message, outcomes, peerFor, refusalIn, sessionWith } from '../support/client-session.ts';

describe('pipelined replies', () => {
  test('of several recipients belong to them in order', async (t) => {
    const peer = await peerFor(t, {
      RCPT: (_line, count) => ['250 ok', '550 5.1.1 no', '452 4.5.3 too many', '251 forwarded'][count - 1]!,
      content: '250 2.0.0 queued as 42',
    });
    const session = await sessionWith(t, peer);
    const recipients = ['a@to.test', 'b@to.test', 'c@to.test', 'd@to.test'];
    const result = await session.send(message('x\r\n', { recipients }));
    assert.deepEqual(outcomes(result), [250, 550, 452, 250]);
    assert.deepEqual(
      [1, 2].map((i) => refusalIn(result, i).permanent),
      [true, false],
    );
    assert.equal(result.recipients[0]!.ok && result.recipients[0]!.value.text, 'queued as 42');
  });

  test('are read whatever the packets they come in', async (t) => {
    const split = (text: string) => [{ bytes: text }];
    const peer = await peerFor(t, {
      greeting: split('220-mx.test\r\n220 welcome'),
      EHLO: split('250-mx.test\r\n250-PIPELINING\r\n250 SIZE 1000'),
      MAIL: split('250-2.1.0 sender\r\n250 2.1.0 ok'),
      RCPT: split('550-5.1.1 no such\r\n550 5.1.1 user'),
      DATA: split('503-5.5.1 nobody\r\n503 5.5.1 there'),
    });
    const session = await sessionWith(t, peer);
    assert.equal(session.facts.greeting, 'mx.test welcome');
    assert.equal(session.facts.capabilities.size, 1000);
    const result = await session.send(message('x\r\n'));
    assert.deepEqual(refusalIn(result).reply, { code: 550, enhanced: '5.1.1', text: 'no such user' });
    assert.equal(result.lastReply?.text, 'nobody there');
  });

  test('a refused MAIL speaks for all recipients, whatever RCPT says', async (t) => {
    const peer = await peerFor(t, {
      MAIL: '550 5.7.1 not you',
      RCPT: '503 5.5.1 MAIL first',
      DATA: '503 5.5.1 no',
    });
    const session = await sessionWith(t, peer);
    const result = await session.send(message('x\r\n', { recipients: ['a@to.test', 'b@to.test'] }));
    assert.deepEqual(outcomes(result), [550, 550]);
    assert.deepEqual([refusalIn(result).scope, refusalIn(result).permanent], ['message', true]);
    assert.equal(result.reusable, true);
    await session.send(message('x\r\n'));
    assert.equal(peer.verbs.includes('RSET'), false);
  });

  test('a 354 with nobody accepted is answered with a lone dot', async (t) => {
    const peer = await peerFor(t, {
      RCPT: (_line, count) => (count === 1 ? '550 5.1.1 no' : '250 ok'),
      content: (_line, count) => (count === 1 ? '554 5.5.1 no valid recipients' : '250 ok'),
    });
    const session = await sessionWith(t, peer);
    const result = await session.send(message('x\r\n'));
    assert.deepEqual(outcomes(result), [550]);
    assert.equal(peer.messages[0]?.content, '');
    assert.deepEqual(outcomes(await session.send(message('y\r\n'))), [250]);
    assert.equal(peer.verbs.includes('RSET'), false);
  });

  test('a peer that refuses MAIL but takes recipients and DATA gets no empty message', async (t) => {
    const peer = await peerFor(t, { MAIL: '451 4.3.0 later' });
    const session = await sessionWith(t, peer);
    const result = await session.send(message('x\r\n'));
    assert.deepEqual([outcomes(result), result.reusable], [[451], false]);
    await peer.until(() => peer.links[0]!.closed);
    assert.deepEqual(peer.messages, []);
  });

  test('one more than was asked for ends the session after the message', async (t) => {
    const peer = await peerFor(t, { content: '250 ok\r\n250 and again' });
    const session = await sessionWith(t, peer);
    const result = await session.send(message('x\r\n'));
    assert.deepEqual([outcomes(result), result.reusable], [[250], false]);
    assert.equal((await session.closed).cause, 'protocol');
  });
});

describe('without PIPELINING', () => {
  test('each command waits for its answer, and nothing is sent in vain', async (t) => {
    const peer = await peerFor(t, {
      EHLO: '250 mx.test',
      MAIL: (_line, count) => (count === 1 ? '450 later' : '250 ok'),
      RCPT: (_line, count) => (count === 1 ? '550 no' : '250 ok'),
    });
    const session = await sessionWith(t, peer);
    assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [450]);
    assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [550]);
    assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [250]);
    assert.deepEqual(peer.verbs, ['EHLO', 'MAIL', 'MAIL', 'RCPT', 'RSET', 'MAIL', 'RCPT', 'DATA']);
  });

  test('the options can leave PIPELINING aside', async (t) => {
    const peer = await peerFor(t, { RCPT: '550 no' });
    const session = await sessionWith(t, peer, { pipelining: false });
    await session.send(message('x\r\n'));
    assert.equal(peer.verbs.includes('DATA'), false);
  });
});
