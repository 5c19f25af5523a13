import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { codes, greeted, withEnvelope } from './dialogue.ts';

const MB = 1024 * 1024;

describe('DATA', () => {
  test('a bare line end is refused after the true end, or kept', () => {
    const strict = withEnvelope();
    assert.deepEqual(codes(strict.send('DATA\r\na\n.\r\nMAIL FROM:<x@y.test>\r\n')), [354]);
    assert.match(strict.send('\r\n.\r\n'), /^550 5\.6\.0/);
    assert.equal(strict.messages.length, 0);
    const lax = withEnvelope({ bareLineEnds: 'keep' });
    assert.deepEqual(codes(lax.send('DATA\r\na\nb\r\n.\r\n')), [354, 250]);
    assert.equal(lax.messages[0]?.content.toString(), 'a\nb\r\n');
  });

  test('beyond the limit it is read to the end and answered 552, far beyond it is cut off', () => {
    const d = withEnvelope({ maxMessageBytes: 1000 });
    d.send('DATA\r\n');
    d.send('x'.repeat(3000));
    assert.equal(d.budget.heldBytes, 0);
    assert.match(d.send('\r\n.\r\n'), /^552 5\.3\.4/);
    d.send('MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n');
    assert.match(d.send('x'.repeat(4001)), /^552 5\.3\.4/);
    assert.deepEqual(d.transport.events, ['end']);
    assert.equal(d.messages.length, 0);
  });

  test('exactly the limit is accepted', () => {
    const d = withEnvelope({ maxMessageBytes: 1000 });
    assert.deepEqual(codes(d.send(`DATA\r\n${'x'.repeat(998)}\r\n.\r\n`)), [354, 250]);
    assert.equal(d.messages[0]?.content.length, 1000);
  });

  test('when memory is short the message is put off', () => {
    const d = withEnvelope({ maxBufferedBytes: 100 });
    assert.match(d.send(`DATA\r\n${'x'.repeat(200)}\r\n.\r\n`), /452 4\.3\.1/);
    assert.equal(d.budget.heldBytes, 0);
  });

  test('content before the 354 is refused when asked for', () => {
    const d = withEnvelope({ refuseEarlyTalkers: true });
    assert.deepEqual(codes(d.send('DATA\r\nSubject: x\r\n')), [554]);
    assert.deepEqual(d.transport.events, ['end']);
  });

  test('progress is reported', () => {
    const seen: number[] = [];
    const d = withEnvelope({ handler: { onContentBytes: (_s, bytes) => void seen.push(bytes) } });
    d.send('DATA\r\n');
    d.send('abc');
    d.send('d\r\n.\r\n');
    assert.deepEqual(seen, [3, 6]);
  });
});

describe('BDAT', () => {
  test('chunks make one message; dots mean nothing', () => {
    const d = withEnvelope();
    assert.deepEqual(codes(d.send('BDAT 5\r\n.\r\nabBDAT 0\r\nBDAT 4 LAST\r\nc\r\n.')), [250, 250, 250]);
    assert.equal(d.messages[0]?.content.toString(), '.\r\nabc\r\n.');
  });

  test('a size that is none ends the session', () => {
    for (const argument of ['', 'x', '-1', '1 MORE', '5LAST', '1.5', '9'.repeat(16), '0x10']) {
      const d = withEnvelope();
      assert.match(
        d.send(`BDAT ${argument}\r\nMAIL FROM:<x@y.test>\r\n`),
        /^501 5\.5\.4[^\r]*\r\n$/,
        argument,
      );
      assert.deepEqual(d.transport.events, ['end']);
    }
  });

  test('octets of a refused chunk are no commands', () => {
    const d = greeted();
    assert.deepEqual(codes(d.send('BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n')), [503, 250]);
    d.send('MAIL FROM:<a@b.test>\r\n');
    assert.deepEqual(codes(d.send('BDAT 6\r\nNOOP\r\nBDAT 6 LAST\r\nNOOP\r\n')), [503, 503]);
    assert.equal(d.messages.length, 0);
  });

  test('octets of a refused chunk are in no message and in no memory', () => {
    const d = greeted();
    assert.deepEqual(codes(d.send('BDAT 6\r\nNOOP\r\n')), [503]);
    assert.equal(d.budget.heldBytes, 0);
    d.send('MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nBDAT 3 LAST\r\nx\r\n');
    assert.equal(d.messages[0]?.content.toString(), 'x\r\n');
  });

  test('DATA and RCPT do not mix with it', () => {
    const d = withEnvelope();
    assert.deepEqual(
      codes(d.send('BDAT 2\r\n\r\nDATA\r\nRCPT TO:<a@b.test>\r\nBDAT 0 LAST\r\n')),
      [250, 503, 503, 250],
    );
    assert.deepEqual(d.messages[0]?.recipients, ['c@d.test']);
  });

  test('after a chunk beyond the limit the transaction has failed', () => {
    const d = withEnvelope({ maxMessageBytes: 10 });
    const chunk = `BDAT 8\r\n${'x'.repeat(8)}`;
    assert.deepEqual(
      codes(d.send(`${chunk}${chunk}${chunk}BDAT 0 LAST\r\nRSET\r\n`)),
      [250, 552, 503, 503, 250],
    );
    assert.match(d.send('BDAT 41\r\n'), /^552/);
    assert.deepEqual(d.transport.events, ['end']);
  });

  test('bare line ends are refused as behind DATA', () => {
    const long = `${'x'.repeat(100)}\r\n`;
    for (const [content, code] of [
      ['a\nb\r\n', 550],
      ['a\r', 550],
      [`${long}.\r\n${long}.\n${long}`, 550],
      [`${long}.\r\n..\r\n${long}`, 250],
    ] as const)
      assert.deepEqual(
        codes(withEnvelope().send(`BDAT ${content.length} LAST\r\n${content}`)),
        [code],
        content,
      );
  });

  test('a handler that refuses at the first chunk is asked once', () => {
    let asked = 0;
    const d = withEnvelope({
      handler: {
        onData: () => {
          asked++;
          return { code: 451, enhanced: '4.7.1', text: 'Later' };
        },
      },
    });
    assert.deepEqual(codes(d.send('BDAT 2\r\n\r\nBDAT 2 LAST\r\n\r\n')), [451, 503]);
    assert.equal(asked, 1);
  });

  test('a large message in many pieces arrives whole', () => {
    const d = withEnvelope();
    const content = Buffer.alloc(MB, 'abcdefg\r\n');
    content.set(Buffer.from('\r\n'), MB - 2);
    d.send(`BDAT ${MB} LAST\r\n`);
    let replies = '';
    for (let at = 0; at < MB; at += 1000) replies += d.send(content.subarray(at, at + 1000));
    assert.deepEqual(codes(replies), [250]);
    assert.ok(d.messages[0]?.content.equals(content));
  });
});
