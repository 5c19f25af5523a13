import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Input } from '../../../src/mta/smtp/server/input.ts';

const line = (input: Input): string => input.bytes.toString('latin1', input.start, input.end);

describe('command lines', () => {
  test('several in one chunk, one over two chunks', () => {
    const input = new Input();
    input.append(Buffer.from('NOOP\r\nRSET\r\nQU'));
    assert.equal(input.nextLine(100), 'line');
    assert.equal(line(input), 'NOOP');
    assert.equal(input.nextLine(100), 'line');
    assert.equal(line(input), 'RSET');
    assert.equal(input.nextLine(100), 'more');
    input.append(Buffer.from('IT\r'));
    assert.equal(input.nextLine(100), 'more');
    input.append(Buffer.from('\n'));
    assert.equal(input.nextLine(100), 'line');
    assert.equal(line(input), 'QUIT');
    assert.equal(input.remaining, 0);
  });

  test('a bare LF is told apart', () => {
    const input = new Input();
    input.append(Buffer.from('NOOP\nNOOP\r\n\n'));
    assert.equal(input.nextLine(100), 'bare');
    assert.equal(input.nextLine(100), 'line');
    assert.equal(input.nextLine(100), 'bare');
  });

  test('an overlong line costs no memory and is reported once', () => {
    const input = new Input();
    for (let i = 0; i < 1000; i++) {
      input.append(Buffer.alloc(1000, 'x'));
      assert.equal(input.nextLine(100), 'more');
      assert.equal(input.remaining, 0);
    }
    assert.equal(input.skipped, 1_000_000);
    input.append(Buffer.from('x\r\nNOOP\r\n'));
    assert.equal(input.nextLine(100), 'overlong');
    assert.equal(input.nextLine(100), 'line');
    assert.equal(line(input), 'NOOP');
  });

  test('the limit counts the CRLF', () => {
    const input = new Input();
    input.append(Buffer.from('12345678\r\n123456789\r\n'));
    assert.equal(input.nextLine(10), 'line');
    assert.equal(input.nextLine(10), 'overlong');
  });
});
