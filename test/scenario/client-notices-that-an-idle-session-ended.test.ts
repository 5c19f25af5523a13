import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FULL_EHLO, message, outcomes, peerFor, refusalIn, sessionWith } from '../support/client-session.ts';

describe('an idle session', () => {
  test('that the peer closes with 421 is over, and says why', async (t) => {
    const peer = await peerFor(t);
    const session = await sessionWith(t, peer);
    assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [250]);
    peer.links[0]!.say('421 4.4.2 idle for too long');
    const reason = await session.closed;
    assert.deepEqual(reason.reply, { code: 421, enhanced: '4.4.2', text: 'idle for too long' });
    assert.equal(session.usable, false);
    await peer.until(() => peer.links[0]!.closed);
  });

  for (const how of ['close', 'reset'] as const) {
    test(`that the peer ends with ${how === 'close' ? 'FIN' : 'RST'} is over, and nothing is written to it`, async (t) => {
      const peer = await peerFor(t);
      const session = await sessionWith(t, peer);
      peer.links[0]!.end(how);
      assert.equal((await session.closed).cause, 'disconnect');
      let spent = false;
      const result = await session.send(message('x\r\n', { beforeRcpt: () => void (spent = true) }));
      const { scope, cause, possiblyDelivered } = refusalIn(result);
      assert.deepEqual([scope, cause, possiblyDelivered], ['session', 'disconnect', undefined]);
      assert.deepEqual([spent, session.transactions, result.reusable], [false, 0, false]);
    });
  }

  for (const EHLO of ['250-mx.test\r\n250 PIPELINING', FULL_EHLO, '250 mx.test']) {
    const name = EHLO.split('\r\n').length;
    test(`that ends while the token is spent carries no content (${name} lines of EHLO)`, async (t) => {
      const peer = await peerFor(t, { EHLO });
      const session = await sessionWith(t, peer);
      const beforeRcpt = async (): Promise<void> => {
        peer.links[0]!.end('close');
        await session.closed;
      };
      const refusal = refusalIn(await session.send(message('x\r\n', { beforeRcpt })));
      assert.deepEqual([refusal.scope, refusal.possiblyDelivered], ['session', undefined]);
      assert.equal(peer.verbs.includes('RCPT'), false);
    });
  }

  test('that says anything else is out of step and ends', async (t) => {
    const peer = await peerFor(t);
    const session = await sessionWith(t, peer);
    peer.links[0]!.say('250 2.0.0 queued');
    assert.equal((await session.closed).cause, 'protocol');
  });
});
