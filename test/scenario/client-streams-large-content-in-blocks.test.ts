import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  BARE_EHLO,
  deadlines,
  message,
  outcomes,
  peerFor,
  refusalIn,
  sessionWith,
} from '../support/client-session.ts';

/** More than the socket buffers of both sides take, so the client has to wait for the peer. */
const LINE = `${'x'.repeat(998)}\r\n`;
const large = (megabytes: number) => {
  const part = Buffer.from(LINE.repeat(1024));
  const content = Array.from({ length: megabytes }, () => part);
  return { content, bytes: megabytes * part.length };
};

describe('large content', () => {
  for (const [name, EHLO] of [
    ['DATA', BARE_EHLO],
    ['BDAT', '250-mx.test\r\n250-PIPELINING\r\n250 CHUNKING'],
  ] as const) {
    test(`arrives complete with ${name}`, async (t) => {
      const peer = await peerFor(t, { EHLO });
      const session = await sessionWith(t, peer);
      const { content, bytes } = large(3);
      assert.deepEqual(outcomes(await session.send(message('', { content, bytes }))), [250]);
      assert.equal(peer.messages[0]?.how, name);
      assert.equal(peer.messages[0].content, Buffer.concat(content).toString());
      assert.deepEqual(outcomes(await session.send(message('y\r\n'))), [250]);
      peer.links[0]!.say('250 one more');
      assert.equal((await session.closed).cause, 'protocol');
    });
  }

  test('a peer that stops reading is given up by the deadline of a block, and has not got the message', async (t) => {
    const peer = await peerFor(t, { EHLO: BARE_EHLO, DATA: [{ send: '354 go' }, { act: 'pause' }] });
    const session = await sessionWith(t, peer, { timeouts: deadlines({ dataBlockMs: 30 }) });
    const refusal = refusalIn(await session.send(message('', large(16))));
    assert.deepEqual([refusal.scope, refusal.cause, refusal.phase], ['session', 'timeout', 'content']);
    assert.equal(refusal.possiblyDelivered, undefined);
  });

  test('a refusal in the middle is the answer, and the connection ends without an end of data', async (t) => {
    const peer = await peerFor(t, { EHLO: BARE_EHLO, DATA: [{ send: '354 go' }, { act: 'swallow' }] });
    const session = await sessionWith(t, peer);
    const sending = session.send(message('', large(16)));
    await peer.until(() => peer.links[0]!.swallowed);
    peer.links[0]!.say('552 5.3.4 too large');
    peer.links[0]!.pause();
    const result = await sending;
    const refusal = refusalIn(result);
    assert.deepEqual([refusal.scope, refusal.permanent, refusal.reply?.code], ['message', true, 552]);
    assert.deepEqual([refusal.possiblyDelivered, result.reusable], [undefined, false]);
    assert.equal(peer.messages.length, 0);
  });
});
