import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Phase } from '../../../src/core/index.ts';
import { lost, refusedBy } from '../../../src/mta/smtp/client/refusals.ts';

const by = (phase: Phase, code: number): string => {
  const refusal = refusedBy({ code, enhanced: undefined, text: 'x' }, phase);
  return `${refusal.scope} ${refusal.permanent ? 'permanent' : 'transient'}`;
};

describe('a negative reply', () => {
  for (const [phase, on4yz, on421, on5yz] of [
    ['greeting', 'host transient', 'host transient', 'host transient'],
    ['ehlo', 'host transient', 'host transient', 'host transient'],
    ['starttls', 'host transient', 'host transient', 'host transient'],
    ['mail', 'message transient', 'session transient', 'message permanent'],
    ['rcpt', 'recipient transient', 'session transient', 'recipient permanent'],
    ['data', 'message transient', 'session transient', 'message permanent'],
    ['content', 'message transient', 'session transient', 'message permanent'],
  ] as const) {
    test(`to ${phase} has its scope and permanence`, () => {
      assert.deepEqual([by(phase, 450), by(phase, 421), by(phase, 554)], [on4yz, on421, on5yz]);
    });
  }
});

describe('a lost connection', () => {
  test('blames the host while it is opened, the session afterwards, the node for its address', () => {
    assert.equal(lost({ cause: 'timeout', text: '' }, 'greeting').scope, 'host');
    assert.equal(lost({ cause: 'timeout', text: '' }, 'rcpt').scope, 'session');
    assert.equal(lost({ cause: 'node_down', text: '' }, 'connect').scope, 'node');
    assert.equal(lost({ cause: 'internal', text: '' }, 'connect').scope, 'session');
  });

  test('names the peer’s farewell as the reason when there was one', () => {
    const reply = { code: 421, enhanced: undefined, text: 'idle' };
    const refusal = lost({ cause: 'disconnect', text: '', reply }, 'mail');
    assert.deepEqual([refusal.reply, refusal.cause], [reply, undefined]);
  });

  test('says so when the message may have arrived, and only then', () => {
    assert.equal(lost({ cause: 'timeout', text: '' }, 'content', true).possiblyDelivered, true);
    assert.equal('possiblyDelivered' in lost({ cause: 'timeout', text: '' }, 'content'), false);
  });
});
