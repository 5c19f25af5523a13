import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Transaction } from '../../src/mta/smtp/client/index.ts';
import { message, outcomes, peerFor, refusalIn, sessionWith } from '../support/client-session.ts';

const CASES: readonly (readonly [string, Partial<Transaction>, string, boolean])[] = [
  ['a message over SIZE', { bytes: 101 }, '5.3.4', true],
  ['8-bit content', { eightBit: true }, '5.6.3', false],
  ['an address beyond ASCII', { smtpUtf8: true }, '5.6.7', true],
  ['an address that breaks the line', { recipients: ['ok@to.test', 'a@to.test>\r\nDATA'] }, 'address', false],
];

describe('a peer with SIZE 100 and nothing else', () => {
  for (const [name, overrides, words, permanent] of CASES) {
    test(`gets no command for ${name}, and takes the next message`, async (t) => {
      const peer = await peerFor(t, { EHLO: '250-mx.test\r\n250 SIZE 100' });
      const session = await sessionWith(t, peer);
      const result = await session.send(message('x\r\n', overrides));
      const refusal = refusalIn(result);
      assert.deepEqual([refusal.scope, refusal.permanent, refusal.reply], ['message', permanent, undefined]);
      assert.ok(refusal.text.includes(words), refusal.text);
      assert.equal(result.recipients.length, overrides.recipients?.length ?? 1);
      assert.deepEqual([result.reusable, peer.verbs], [true, ['EHLO']]);
      assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [250]);
    });
  }
});
