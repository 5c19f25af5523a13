import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NO_CAPABILITIES, parseCapabilities } from '../../../src/mta/smtp/client/capabilities.ts';
import { mailCommand, obstacle } from '../../../src/mta/smtp/client/transaction.ts';
import { message } from '../../support/client-session.ts';

const everything = parseCapabilities(['mx.test', 'SIZE 1000', '8BITMIME', 'SMTPUTF8', 'PIPELINING']);

describe('capabilities', () => {
  test('are read whatever their case and spacing', () => {
    const peer = parseCapabilities([
      'mx.test pipelining',
      'Pipelining ',
      'STARTTLS',
      'size 500',
      'X-FOO bar',
    ]);
    assert.deepEqual(peer, { ...NO_CAPABILITIES, pipelining: true, starttls: true, size: 500 });
  });

  test('are not taken from the line with the name', () => {
    assert.deepEqual(parseCapabilities(['PIPELINING']), NO_CAPABILITIES);
  });

  test('tell a limit from none', () => {
    assert.equal(parseCapabilities(['mx', 'SIZE']).size, 0);
    assert.equal(parseCapabilities(['mx', 'SIZE 0']).size, 0);
    assert.equal(parseCapabilities(['mx', 'SIZE lots']).size, 0);
    assert.equal(parseCapabilities(['mx', 'SIZE 26214400']).size, 26214400);
    assert.equal(parseCapabilities(['mx']).size, undefined);
  });
});

describe('MAIL', () => {
  test('carries what the peer knows and the message needs', () => {
    const plain = message('abc');
    assert.equal(mailCommand(plain, NO_CAPABILITIES), 'MAIL FROM:<sender@from.test>\r\n');
    assert.equal(mailCommand({ ...plain, from: '' }, everything), 'MAIL FROM:<> SIZE=3\r\n');
    assert.equal(
      mailCommand({ ...plain, eightBit: true, smtpUtf8: true }, everything),
      'MAIL FROM:<sender@from.test> SIZE=3 BODY=8BITMIME SMTPUTF8\r\n',
    );
  });
});

describe('an obstacle', () => {
  test('is not seen where there is none', () => {
    assert.equal(obstacle(message('abc'), NO_CAPABILITIES), undefined);
    assert.equal(obstacle(message('abc', { eightBit: true, smtpUtf8: true }), everything), undefined);
    assert.equal(obstacle(message('abc', { bytes: 1000 }), everything), undefined);
  });

  for (const [name, overrides, cause, permanent] of [
    ['a message over SIZE', { bytes: 1001 }, 'unsupported', true],
    ['8-bit content', { eightBit: true }, 'unsupported', false],
    ['an address beyond ASCII', { smtpUtf8: true }, 'unsupported', true],
    ['a line break in a recipient', { recipients: ['a@b.test', 'a\r\nDATA@b.test'] }, 'internal', false],
    ['a bracket in the reverse-path', { from: 'a@b.test> SIZE=1' }, 'internal', false],
    ['a NUL', { recipients: ['a\0@b.test'] }, 'internal', false],
    ['no recipient', { recipients: [] }, 'internal', false],
  ] as const) {
    test(`is ${name}`, () => {
      const peer = { ...NO_CAPABILITIES, size: 1000 };
      const refusal = obstacle(message('abc', overrides), peer);
      assert.deepEqual([refusal?.scope, refusal?.cause, refusal?.permanent], ['message', cause, permanent]);
    });
  }
});
