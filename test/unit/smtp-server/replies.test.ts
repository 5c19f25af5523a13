import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { encodeReply, REPLIES } from '../../../src/mta/smtp/server/replies.ts';

describe('replies on the wire', () => {
  test('one line, with and without the enhanced code', () => {
    const reply = { code: 550, enhanced: '5.1.1', text: 'No such user' };
    assert.equal(encodeReply(reply, true), '550 5.1.1 No such user\r\n');
    assert.equal(encodeReply(reply, false), '550 No such user\r\n');
    assert.equal(encodeReply({ ...reply, enhanced: undefined }, true), '550 No such user\r\n');
  });

  test('a line feed makes several lines, each with the codes', () => {
    assert.equal(
      encodeReply({ code: 450, enhanced: '4.7.1', text: 'Slow\ndown\r\nplease' }, true),
      '450-4.7.1 Slow\r\n450-4.7.1 down\r\n450 4.7.1 please\r\n',
    );
    assert.equal(encodeReply({ code: 450, enhanced: undefined, text: 'a\nb' }, true), '450-a\r\n450 b\r\n');
  });

  test('nothing a handler quotes can end the line', () => {
    assert.equal(
      encodeReply({ code: 550, enhanced: '5.0.0\r\n', text: 'a\rb\0c\x7fé' }, true),
      '550 5.0.0?? a?b?c??\r\n',
    );
  });

  test('a long text is folded below 512 octets', () => {
    const wire = encodeReply({ code: 550, enhanced: '5.0.0', text: 'x'.repeat(1200) }, true);
    const lines = wire.split('\r\n').slice(0, -1);
    assert.equal(lines.length, 3);
    for (const line of lines) assert.ok(line.length <= 510);
    assert.equal(wire.replaceAll(/550[ -]5\.0\.0 |\r\n/g, ''), 'x'.repeat(1200));
  });

  test('every constant reply is one well-formed line, and its enhanced class fits the code', () => {
    for (const [name, reply] of Object.entries(REPLIES)) {
      assert.match(reply.plainWire, /^[2-5]\d\d [\x20-\x7e]*\r\n$/, name);
      if (reply.code >= 300 && reply.code < 400) assert.equal(reply.enhancedWire, reply.plainWire, name);
      else assert.match(reply.enhancedWire, /^([245])\d\d \1\.\d+\.\d+ \S/, name);
    }
  });
});
