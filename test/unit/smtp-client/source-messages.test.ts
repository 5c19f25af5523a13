import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_HEADERS } from '../../../src/testbed/index.ts';
import { messagesOf } from '../../../src/testbed/source-messages.ts';

const plan = { messageBytes: 1000, from: 'f@from.test', domains: 3, firstIndex: 7, headers: DEFAULT_HEADERS };
const at = new Date(Date.UTC(2024, 1, 29, 12, 0, 0));

describe('messages of the load generator', () => {
  test('go to distinct recipients over the domains', () => {
    const messageOf = messagesOf(plan, at);
    assert.deepEqual(
      [0, 1, 2].map((number) => messageOf(number).recipients[0]),
      ['u7@d1.test', 'u8@d2.test', 'u9@d0.test'],
    );
  });

  test('have exactly the size, with CRLF lines of no more than 78 characters', () => {
    for (let messageBytes = 400; messageBytes < 640; messageBytes++) {
      const message = messagesOf({ ...plan, messageBytes }, at)(0);
      const text = Buffer.concat(message.content).toString();
      assert.equal(text.length, messageBytes);
      assert.equal(message.bytes, messageBytes);
      assert.ok(text.endsWith('\r\n'));
      const lines = text.split('\r\n');
      assert.ok(lines.every((line) => line.length <= 78 && !/[\r\n]/.test(line)));
    }
  });

  test('fill in the header template', () => {
    const headers = ['X: {index} {from} {recipient}', 'Date: {date}'];
    const text = Buffer.concat(messagesOf({ ...plan, headers }, at)(1).content).toString();
    const [first, second, third] = text.split('\r\n');
    assert.deepEqual(
      [first, second, third],
      ['X: 8 f@from.test u8@d2.test', 'Date: Thu, 29 Feb 2024 12:00:00 +0000', ''],
    );
  });

  test('keep their headers when the size is too small for them', () => {
    const message = messagesOf({ ...plan, messageBytes: 10 }, at)(0);
    assert.ok(message.bytes > 100);
    assert.equal(message.content[1]!.toString(), '\r\n');
  });
});
