import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { bodyHash, signMessage, signMessageSync } from '../../../src/mta/dkim/index.ts';
import { scanHeader, stuffDots } from '../../../src/mta/message/index.ts';
import { makeKeys, oddMessages } from './odd-messages.ts';

const now = Date.now();
const keys = makeKeys();
const both = [keys.rsa, keys.ed25519];

/** What mailauth says of each signature, with the keys from memory. */
async function verdicts(message: Buffer): Promise<readonly string[]> {
  const resolver = (name: string): Promise<string[][]> => Promise.resolve([[keys.records.get(name) ?? '']]);
  const { results } = await dkimVerify(message, { resolver });
  return results.map(({ status }) => `${status.result}${status.comment ? ` (${status.comment})` : ''}`);
}

const signed = async (content: Buffer): Promise<Buffer> =>
  Buffer.concat([await signMessage(content, both, { now }), content]);

describe('signatures that mailauth verifies', () => {
  for (const [name, content] of Object.entries(oddMessages))
    test(name, async () => {
      const message = await signed(content);
      assert.deepEqual(await verdicts(message), ['pass', 'pass']);
      // What a receiver gets over SMTP: it always ends with CRLF.
      const onTheWire = content.toString('latin1').endsWith('\r\n')
        ? [message]
        : [message, Buffer.from('\r\n')];
      assert.deepEqual(await verdicts(Buffer.concat(onTheWire)), ['pass', 'pass']);
    });

  test('blanks before the colon, which mailauth tolerates (prepareContent removes them)', async () => {
    const content = Buffer.from('From : a@example.com\r\nSubject\t: x\r\nTo: b@c.dd\r\n\r\nx\r\n');
    assert.deepEqual(await verdicts(await signed(content)), ['pass', 'pass']);
  });

  test('any odd mixture', async () => {
    const pieces = [
      'a',
      ' ',
      '  ',
      '\t',
      '\r\n',
      '\xa0',
      '\xc3\xbc',
      '=20',
      '.',
      '\x0b',
      '\r\n \r\n',
      'word',
    ];
    const body = fc.array(fc.constantFrom(...pieces), { maxLength: 40 });
    const value = fc.array(fc.constantFrom('a', ' ', '\t', '\r\n ', '\xa0', ':', ';', 'b=c'), {
      maxLength: 10,
    });
    const name = fc.constantFrom('To', 'CC', 'subject', 'X-Other', 'Reply-To', 'List-Id', 'Content-Type');
    const fields = fc.array(fc.tuple(name, value), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fields, body, async (header, text) => {
        const lines = header.map(([field, words]) => `${field}: x${words.join('')}y\r\n`).join('');
        const content = Buffer.from(`${lines}From: a@example.com\r\n\r\n${text.join('')}`, 'latin1');
        assert.deepEqual(await verdicts(await signed(content)), ['pass', 'pass']);
      }),
      { numRuns: 150 },
    );
  });
});

describe('signatures', () => {
  const content = oddMessages['repeated fields']!;

  test('break when a signed byte changes', async () => {
    const message = (await signed(content)).toString('latin1');
    for (const [from, to] of [
      ['Subject: odd', 'Subject: even'],
      ['To: second', 'To: changed'],
      ['\r\n\r\nx', '\r\n\r\ny'],
      ['From: Ann', 'From: Eve <e@example.com>\r\nFrom: Ann'],
    ] as const) {
      const changed = Buffer.from(message.replace(from, to), 'latin1');
      assert.notDeepEqual(changed, Buffer.from(message, 'latin1'));
      for (const verdict of await verdicts(changed)) assert.doesNotMatch(verdict, /^pass/, from);
    }
  });

  test('survive what relays do to white space', async () => {
    const message = (await signed(oddMessages['runs of blanks']!)).toString('latin1');
    const relayed = message
      .replace('Subject: odd', 'subject:   odd ')
      .replace('  b\t\tc', ' b c')
      .concat('\r\n\r\n');
    assert.deepEqual(await verdicts(Buffer.from(relayed, 'latin1')), ['pass', 'pass']);
  });

  test('name every signed field, From once more than it occurs', () => {
    const text = signMessageSync(oddMessages['every list field']!, [keys.rsa], { now }).toString();
    const names = /\th=([^;]*);/.exec(text)![1]!.replaceAll(/\s/g, '').split(':');
    assert.deepEqual(
      names.sort(),
      (
        'content-transfer-encoding content-type date feedback-id from from in-reply-to list-id list-unsubscribe ' +
        'list-unsubscribe-post message-id mime-version references reply-to sender subject to'
      ).split(' '),
    );
  });

  test('are folded, ASCII, and nothing but fields', async () => {
    const text = (await signMessage(content, both, { now })).toString('latin1');
    assert.equal(scanHeader(Buffer.from(text)).fields.length, 2);
    for (const line of text.split('\r\n')) assert.match(line, /^[\t\x20-\x7e]{0,78}$/);
    assert.match(
      text,
      /^DKIM-Signature: v=1; a=rsa-sha256; .*\r\nDKIM-Signature: v=1; a=ed25519-sha256; .*\r\n$/s,
    );
    assert.ok(text.includes(`t=${Math.floor(now / 1000)};`));
  });

  test('are the same on the thread pool and on this thread', async () => {
    assert.deepEqual(await signMessage(content, both, { now }), signMessageSync(content, both, { now }));
    assert.equal((await signMessage(content, [], { now })).length, 0);
  });

  test('take a known body hash without reading the body', async () => {
    const known = bodyHash(content, scanHeader(content).bodyStart);
    assert.deepEqual(
      signMessageSync(content, both, { now, bodyHash: known }),
      signMessageSync(content, both, { now }),
    );
    const other = await signMessage(content, [keys.rsa], { now, bodyHash: 'other=' });
    assert.match(other.toString(), /bh=other=;/);
  });

  test('cover fields that go in front of the content as if they were part of it', () => {
    const front = Buffer.from('Postrider-Delivery: <h+x@b.test>\r\nList-Unsubscribe: <https://u.test/x>\r\n');
    for (const message of [content, oddMessages['every list field']!, Buffer.from('\r\nno header\r\n')])
      assert.equal(
        signMessageSync(message, both, { now, front }).toString(),
        signMessageSync(Buffer.concat([front, message]), both, { now }).toString(),
      );
  });

  test('are over the unstuffed content', async () => {
    const dots = oddMessages['lines of dots']!;
    const stuffed = Buffer.concat(stuffDots([await signMessage(dots, both, { now }), dots])).toString(
      'latin1',
    );
    const received = Buffer.from(stuffed.replaceAll(/(^|\r\n)\./g, '$1'), 'latin1');
    assert.deepEqual(await verdicts(received), ['pass', 'pass']);
  });
});
