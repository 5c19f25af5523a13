import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import type { Reply } from '../../../src/core/index.ts';
import { codes, dialogue, greeted, withEnvelope } from './dialogue.ts';

const TRANSACTION = 'MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n';

describe('greeting and EHLO', () => {
  test('greeting, EHLO with all that is offered, HELO without', () => {
    const d = dialogue({ banner: 'hello' });
    assert.equal(d.answered(), '220 mx.test ESMTP hello\r\n');
    assert.equal(
      d.send('EHLO me.test\r\n'),
      '250-mx.test\r\n250-PIPELINING\r\n250-SIZE 26214400\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n',
    );
    assert.equal(d.c.esmtp, true);
    assert.equal(d.send('HELO other.test\r\n'), '250 mx.test\r\n');
    assert.equal(d.c.helo, 'other.test');
    assert.equal(d.c.esmtp, false);
  });

  test('what is switched off is not offered and not accepted', () => {
    const off = { pipelining: false, chunking: false, eightBitMime: false, smtpUtf8: false, size: false };
    const d = dialogue({ capabilities: { ...off, enhancedStatusCodes: false } });
    d.answered();
    assert.equal(d.send('EHLO me.test\r\n'), '250 mx.test\r\n');
    for (const parameter of ['BODY=8BITMIME', 'SMTPUTF8', 'SIZE=10', 'RET=FULL'])
      assert.match(d.send(`MAIL FROM:<a@b.test> ${parameter}\r\n`), /^555 Parameter/);
    d.send(TRANSACTION);
    assert.deepEqual(codes(d.send('BDAT 3 LAST\r\na\r\n')), [502]);
  });

  test('a name that could forge a header is refused', () => {
    const d = dialogue();
    d.answered();
    for (const name of ['', ' ', 'a b', 'a(b', 'a;b', 'a\rb', 'a\x00b', 'é', 'x'.repeat(256)])
      assert.match(d.send(`EHLO ${name}\r\n`), /^501 5\.5\.4/, name);
    assert.match(d.send('EHLO [IPv6:2001:db8::1]\r\n'), /^250-/);
  });

  test('a handler may refuse the connection', () => {
    const d = dialogue({ handler: { onConnect: () => ({ code: 554, enhanced: '5.7.1', text: 'Go away' }) } });
    assert.equal(d.answered(), '554 5.7.1 Go away\r\n');
    assert.deepEqual(d.transport.events, ['end']);
    assert.equal(d.send('EHLO me.test\r\n'), '');
  });

  test('an early talker is refused when asked for', async () => {
    const never = new Promise<undefined>(() => undefined);
    const d = dialogue({ refuseEarlyTalkers: true, handler: { onConnect: () => never } });
    assert.match(d.send('EHLO me.test\r\n'), /^554 5\.5\.0/);
    const patient = dialogue({ handler: { onConnect: () => Promise.resolve(undefined) } });
    assert.equal(patient.send('EHLO me.test\r\n'), '');
    await turn();
    assert.deepEqual(codes(patient.answered()), [220, 250]);
  });
});

describe('order of commands', () => {
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ['MAIL FROM:<a@b.test>\r\n', [503]],
    ['RCPT TO:<a@b.test>\r\n', [503]],
    ['DATA\r\n', [503]],
    ['EHLO me\r\nRCPT TO:<a@b.test>\r\nDATA\r\n', [250, 503, 503]],
    ['EHLO me\r\nMAIL FROM:<a@b.test>\r\nMAIL FROM:<a@b.test>\r\n', [250, 250, 503]],
    ['EHLO me\r\nMAIL FROM:<a@b.test>\r\nDATA\r\n', [250, 250, 503]],
    [`EHLO me\r\n${TRANSACTION}RSET\r\nDATA\r\n`, [250, 250, 250, 250, 503]],
    [`EHLO me\r\n${TRANSACTION}EHLO me\r\nDATA\r\n`, [250, 250, 250, 250, 503]],
    [`EHLO me\r\n${TRANSACTION}DATA now\r\n`, [250, 250, 250, 501]],
    ['NOOP\r\nnoop x\r\nHELP\r\nVRFY x\r\nEXPN x\r\nRSET\r\n', [250, 250, 214, 252, 502, 250]],
    ['TURN\r\nMAILX\r\nx\r\n\r\nSTARTTLX\r\nSTARTTLS\r\n', [500, 500, 500, 500, 500, 502]],
    ['AUTH PLAIN\r\nNOOP\nNOOP\r\n', [502, 500, 250]],
    ['quit\r\nNOOP\r\n', [221]],
  ];
  for (const [text, expected] of cases)
    test(JSON.stringify(text), () => {
      const d = dialogue();
      d.answered();
      assert.deepEqual(codes(d.send(text)), expected);
      assert.deepEqual(d.errors, []);
    });

  test('any cut of a pipelined session gives the same replies and the same message', () => {
    const text = `EHLO me\r\n${TRANSACTION}DATA\r\n..x\r\n.\r\n${TRANSACTION}BDAT 4\r\nab\r\nBDAT 5 LAST\r\n.cd\r\nQUIT\r\n`;
    const whole = dialogue();
    const expected = whole.answered() + whole.send(text);
    assert.deepEqual(codes(expected), [220, 250, 250, 250, 354, 250, 250, 250, 250, 250, 221]);
    for (let cut = 1; cut < text.length; cut++) {
      const d = dialogue();
      const replies = d.answered() + d.send(text.slice(0, cut)) + d.send(text.slice(cut));
      assert.equal(replies, expected, `cut at ${cut}`);
      assert.deepEqual(
        d.messages.map((m) => m.content.toString()),
        ['.x\r\n', 'ab\r\n.cd\r\n'],
      );
    }
  });

  test('all replies to one chunk are one write', () => {
    const d = greeted();
    d.c.receive(Buffer.from(`${TRANSACTION}DATA\r\n`));
    assert.equal(d.transport.writes.length, 1);
  });
});

describe('MAIL and RCPT', () => {
  test('addresses and parameters reach the handler', () => {
    const seen: unknown[] = [];
    const d = greeted({
      capabilities: { dsn: true },
      handler: {
        onMail: (_s, mail) => void seen.push([mail.address, Object.fromEntries(mail.parameters)]),
        onRcpt: (_s, rcpt) => void seen.push([rcpt.address, Object.fromEntries(rcpt.parameters)]),
      },
    });
    d.send('MAIL FROM:<a@B.test> SIZE=1000 BODY=8BITMIME AUTH=<> RET=HDRS ENVID=x\r\n');
    d.send('rcpt to: <"q q"@bücher.test> NOTIFY=NEVER\r\nRCPT TO:<Postmaster>\r\n');
    assert.deepEqual(seen, [
      ['a@b.test', { SIZE: '1000', BODY: '8BITMIME', AUTH: '<>', RET: 'HDRS', ENVID: 'x' }],
      ['postmaster@mx.test', {}],
    ]);
    assert.deepEqual(codes(d.send(Buffer.from('RCPT TO:<"q q"@bücher.test> NOTIFY=NEVER\r\n'))), [250]);
    d.send('BDAT 2 LAST\r\n\r\n');
    assert.deepEqual(d.messages[0]?.recipients, ['postmaster@mx.test', '"q q"@xn--bcher-kva.test']);
    assert.equal(d.messages[0]?.eightBit, true);
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ['MAIL FROM:<a@b.test> SIZE=99999999999', /^552 5\.3\.4/],
    ['MAIL FROM:<a@b.test> SIZE=x', /^555 5\.5\.4/],
    ['MAIL FROM:<a@b.test> FOO=1', /^555 5\.5\.4/],
    ['MAIL FROM:<a@b.test> __proto__=1', /^555 5\.5\.4/],
    ['MAIL FROM:<a@b.test> constructor', /^555 5\.5\.4/],
    ['MAIL FROM:<a@b.test> BODY=BINARYMIME', /^555 5\.5\.4/],
    ['MAIL FROM:<a@b.test> RET=FULL', /^555 5\.5\.4/],
    ['MAIL FROM:a@b.test', /^501 5\.1\.7 Syntax error in the address: the address stands in angle brackets/],
    ['MAIL FROM:<a@b', /^501 5\.1\.7/],
    ['MAIL FROM:<@r.test:a@b.test>', /^501 5\.1\.7 .*source routes/],
    ['MAIL FROM:<postmaster>', /^501 5\.1\.7/],
    ['MAIL TO:<a@b.test>', /^501 5\.5\.4/],
    ['MAIL', /^501 5\.5\.4/],
    ['MAIL FROM:<jos\xc3\xa9@b.test>', /^553 5\.6\.7/],
    ['MAIL FROM:<jos\xe9@b.test>', /^501 5\.1\.7/],
  ];
  for (const [line, reply] of refused)
    test(`refused: ${line}`, () => {
      const d = greeted();
      assert.match(d.send(`${line}\r\n`), reply);
      assert.deepEqual(codes(d.send(TRANSACTION)), [250, 250], 'and no transaction was begun');
    });

  test('refused recipients: syntax, empty, parameters, too many', () => {
    const d = greeted({ maxRecipients: 2 });
    d.send('MAIL FROM:<>\r\n');
    assert.match(d.send('RCPT TO:<>\r\n'), /^501 5\.1\.3/);
    assert.match(d.send('RCPT TO:<a@b@c>\r\n'), /^501 5\.1\.3/);
    assert.match(d.send('RCPT TO:<a@b.test> NOTIFY=NEVER\r\n'), /^555/);
    assert.match(d.send('DATA\r\n'), /^554 5\.5\.1/);
    assert.deepEqual(codes(d.send('RCPT TO:<a@b.test>\r\n'.repeat(3))), [250, 250, 452]);
  });

  test('SMTPUTF8 lets a local part in UTF-8 through', () => {
    const d = greeted();
    assert.deepEqual(
      codes(d.send(Buffer.from('MAIL FROM:<josé@b.test> SMTPUTF8\r\nRCPT TO:<ñ@b.test>\r\n'))),
      [250, 250],
    );
    d.send('BDAT 0 LAST\r\n');
    assert.equal(d.messages[0]?.from, 'josé@b.test');
    assert.equal(d.messages[0]?.smtpUtf8, true);
  });

  test('a handler refuses one recipient of two', () => {
    const no: Reply = { code: 550, enhanced: '5.1.1', text: 'No such user' };
    const d = greeted({ handler: { onRcpt: (_s, rcpt) => (rcpt.address.startsWith('x') ? no : undefined) } });
    assert.deepEqual(
      codes(d.send('MAIL FROM:<a@b.test>\r\nRCPT TO:<x@b.test>\r\nRCPT TO:<y@b.test>\r\nDATA\r\n')),
      [250, 550, 250, 354],
    );
    d.send('.\r\n');
    assert.deepEqual(d.messages[0]?.recipients, ['y@b.test']);
  });

  test('recipients a handler refuses are no errors of the session', () => {
    const d = greeted({ handler: { onRcpt: () => ({ code: 550, enhanced: '5.1.1', text: 'No' }) } });
    const transaction = `${TRANSACTION}DATA\r\nRSET\r\n`;
    assert.deepEqual(codes(d.send(transaction.repeat(30))), Array(30).fill([250, 550, 554, 250]).flat());
  });
});

describe('limits', () => {
  test('too many errors end the session, an accepted message resets the count', () => {
    const d = withEnvelope({ maxErrors: 3 });
    d.send('FOOO\r\nFOOO\r\nDATA\r\n.\r\n');
    assert.deepEqual(codes(d.send('FOOO\r\nFOOO\r\nFOOO\r\nNOOP\r\n')), [500, 500, 500, 421]);
    assert.equal(d.transport.events.at(-1), 'end');
  });

  test('a long line is refused once, an endless one ends the session', () => {
    const d = greeted();
    assert.deepEqual(codes(d.send(`NOOP ${'x'.repeat(5000)}\r\nNOOP\r\n`)), [500, 250]);
    let replies = '';
    for (let i = 0; i < 1024 && !d.transport.events.includes('end'); i++) replies += d.send('x'.repeat(1024));
    assert.match(replies, /^500 5\.5\.2/);
    assert.equal(d.c.input.remaining, 0);
  });

  test('idle, slow content and a handler that never answers end with 421', () => {
    const idle = greeted({ idleTimeoutMs: 1000, dataTimeoutMs: 100 });
    idle.clock.ms = 999;
    idle.c.expire(999);
    assert.equal(idle.answered(), '');
    idle.c.expire(1000);
    assert.match(idle.answered(), /^421 4\.4\.2/);

    const content = withEnvelope({ idleTimeoutMs: 1000, dataTimeoutMs: 100 });
    content.send('DATA\r\nx');
    content.c.expire(100);
    assert.match(content.answered(), /^421 4\.4\.2/);

    const stuck = withEnvelope({
      idleTimeoutMs: 1000,
      handler: { onMessage: () => new Promise(() => undefined) },
    });
    stuck.send('BDAT 0 LAST\r\n');
    stuck.c.expire(1000);
    assert.match(stuck.answered(), /^421 4\.4\.2/);
  });

  test('a closed session that does not hang up is destroyed', () => {
    const d = greeted({ lingerMs: 50 });
    d.send('QUIT\r\n');
    d.clock.ms = 40;
    d.send('and on and on');
    d.c.expire(49);
    assert.deepEqual(d.transport.events, ['end']);
    d.c.expire(50);
    assert.deepEqual(d.transport.events, ['end', 'destroy']);
  });

  test('a peer that does not read its replies is not read either', () => {
    const d = greeted();
    d.transport.accepts = false;
    d.send('NOOP\r\n');
    d.send('NOOP\r\nNOOP\r\n');
    assert.deepEqual(d.transport.events, ['pause']);
    assert.equal(d.answered(), '');
    d.transport.accepts = true;
    d.c.writable();
    assert.deepEqual(codes(d.answered()), [250, 250]);
    assert.deepEqual(d.transport.events, ['pause', 'resume']);
  });
});

describe('handlers', () => {
  test('while a promise is open nothing is read and no reply overtakes', async () => {
    let decide: (reply: Reply | undefined) => void = () => undefined;
    const d = greeted({ handler: { onRcpt: () => new Promise((resolve) => (decide = resolve)) } });
    assert.equal(d.send(`${TRANSACTION}DATA\r\n`), '');
    d.send('x\r\n.\r\n');
    assert.deepEqual(d.transport.events, ['pause']);
    decide(undefined);
    await turn();
    assert.deepEqual(codes(d.answered()), [250, 250, 354, 250]);
    assert.deepEqual(d.transport.events, ['pause', 'resume']);
    assert.equal(d.messages.length, 1);
  });

  test('an exception is answered 451, now or later, and the session goes on', async () => {
    const sync = withEnvelope({
      handler: {
        onMessage: () => {
          throw new Error('bug');
        },
      },
    });
    assert.match(sync.send('BDAT 0 LAST\r\n'), /^451 4\.3\.0/);
    assert.deepEqual(codes(sync.send(TRANSACTION)), [250, 250]);
    assert.equal(sync.errors.length, 1);

    const later = withEnvelope({ handler: { onMessage: () => Promise.reject(new Error('bug')) } });
    later.send('BDAT 0 LAST\r\n');
    await turn();
    assert.match(later.answered(), /^451 4\.3\.0/);
    assert.equal(later.errors.length, 1);
  });

  test('a 421 of a handler ends the session', () => {
    const d = greeted({ handler: { onMail: () => ({ code: 421, enhanced: '4.7.0', text: 'Slow down' }) } });
    assert.deepEqual(codes(d.send(TRANSACTION)), [421]);
    assert.deepEqual(d.transport.events, ['end']);
  });

  test('an answer without a code is a bug, not a reply', () => {
    const d = greeted({ handler: { onMail: () => ({ code: 0, enhanced: undefined, text: '' }) } });
    assert.match(d.send('MAIL FROM:<>\r\n'), /^451 4\.3\.0/);
    assert.equal(d.errors.length, 1);
  });

  test('destroy and stall: no reply ever', () => {
    const gone = greeted({ handler: { onMail: (session) => void session.destroy() } });
    assert.equal(gone.send(TRANSACTION), '');
    assert.deepEqual(gone.transport.events, ['destroy']);
    const hung = greeted({ handler: { onRcpt: (session) => void session.stall('stop') } });
    assert.deepEqual(codes(hung.send(TRANSACTION)), [250]);
    assert.deepEqual(hung.transport.events, ['pause']);
    hung.c.expire(1e9);
    assert.equal(hung.send('NOOP\r\n'), '');
  });

  test('a client that sends all and FIN gets its replies', async () => {
    const d = greeted({ handler: { onMessage: () => Promise.resolve(undefined) } });
    d.send(`${TRANSACTION}BDAT 0 LAST\r\nQUIT\r\n`);
    d.c.ended();
    assert.deepEqual(d.transport.events, []);
    await turn();
    assert.deepEqual(codes(d.answered()), [250, 250, 250, 221]);
    assert.deepEqual(d.transport.events, ['end']);
  });
});

describe('shutting down', () => {
  test('an idle session ends at once, a busy one after its transaction', () => {
    const idle = greeted();
    idle.c.drain();
    assert.match(idle.answered(), /^421 4\.3\.2/);
    const busy = withEnvelope();
    busy.c.drain();
    assert.equal(busy.answered(), '');
    assert.deepEqual(codes(busy.send('DATA\r\n')), [354]);
    assert.deepEqual(codes(busy.send('x\r\n.\r\n')), [250, 421]);
    assert.equal(busy.messages.length, 1);
  });
});

/** Lets promises that are settled go on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
