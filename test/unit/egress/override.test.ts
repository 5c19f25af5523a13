import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ispHeader, overrideHeader } from '../../../src/mta/egress/override.ts';
import { fieldValue, parseMailboxes, scanHeader } from '../../../src/mta/message/index.ts';

const BODY = 'From: not me\r\nReply-To: nor me\r\n.\r\n';
const content = (...fields: string[]): Buffer => Buffer.from(`${fields.join('\r\n')}\r\n\r\n${BODY}`);

function valuesOf(message: Buffer, name: string): string[] {
  const scan = scanHeader(message);
  assert.equal(scan.malformed, undefined);
  return scan.fields.filter((field) => field.name === name).map((field) => fieldValue(message, field));
}

function mailboxOf(message: Buffer, name = 'from'): { name: string; address: string } {
  const [value, ...more] = valuesOf(message, name);
  assert.deepEqual(more, [], `one ${name} field`);
  const mailboxes = parseMailboxes(value!);
  assert.ok(mailboxes.ok, value);
  assert.equal(mailboxes.value.length, 1);
  return mailboxes.value[0]!;
}

describe('override of From and Reply-To', () => {
  const given = content(
    'Subject: s',
    'From: "The Shop" <news@shop.test>',
    'Reply-To: a@b.test',
    'To: x@y.test',
  );

  test('address alone: the name stays', () => {
    const changed = overrideHeader(given, { fromEmail: 'new@brand.test' });
    assert.deepEqual(mailboxOf(changed), { name: 'The Shop', address: 'new@brand.test' });
    assert.deepEqual(mailboxOf(changed, 'reply-to'), { name: '', address: 'a@b.test' });
  });

  test('name alone: the address stays', () => {
    const changed = overrideHeader(given, { fromName: 'Brand, "Inc."' });
    assert.deepEqual(mailboxOf(changed), { name: 'Brand, "Inc."', address: 'news@shop.test' });
  });

  test('Reply-To alone: From keeps every byte', () => {
    const several = content('From: A <a@shop.test>,\r\n B <b@shop.test>', 'Sender: a@shop.test');
    const changed = overrideHeader(several, { replyTo: 'answers@brand.test' });
    assert.ok(changed.includes('From: A <a@shop.test>,\r\n B <b@shop.test>\r\n'));
    assert.deepEqual(mailboxOf(changed, 'reply-to'), { name: '', address: 'answers@brand.test' });
  });

  test('all three: exactly one field each, other fields and the body as they were', () => {
    const twice = content(
      'Subject: s',
      'FROM:\r\n =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\t<news@shop.test>',
      'reply-to: one@b.test,\r\n two@b.test',
      'X-Odd:',
      'Reply-To: three@b.test',
    );
    const changed = overrideHeader(twice, { fromEmail: 'n@b.test', fromName: 'N', replyTo: 'r@b.test' });
    assert.deepEqual(mailboxOf(changed), { name: 'N', address: 'n@b.test' });
    assert.deepEqual(mailboxOf(changed, 'reply-to'), { name: '', address: 'r@b.test' });
    assert.ok(changed.toString().startsWith('Subject: s\r\nX-Odd:\r\n'));
    assert.ok(changed.toString().endsWith(`\r\n\r\n${BODY}`));
  });

  test('an encoded name is kept as an encoded name', () => {
    const encoded = content('From: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= <news@shop.test>');
    const changed = overrideHeader(encoded, { fromEmail: 'n@b.test' });
    assert.deepEqual(mailboxOf(changed), { name: '=?utf-8?Q?Gr=C3=BC=C3=9Fe?=', address: 'n@b.test' });
    const mixed = content('From: "Shop, Inc." =?utf-8?B?w7w=?= Team <news@shop.test>');
    const { name } = mailboxOf(overrideHeader(mixed, { fromEmail: 'n@b.test' }));
    assert.equal(name, 'Shop, Inc. =?utf-8?B?w7w=?= Team');
  });

  test('a comment and odd spacing in From do not survive, the mailbox does', () => {
    const odd = content('From:  (sales (really))  news@shop.test  (us)');
    assert.deepEqual(mailboxOf(overrideHeader(odd, { fromName: 'Us' })), {
      name: 'Us',
      address: 'news@shop.test',
    });
  });

  test('no name begins a field of its own or the body', () => {
    const evil = fc.string({
      unit: fc.constantFrom('\r', '\n', ' ', ':', 'B', 'c', '<', '>', '"', '\\', ',', 'ü', '\0'),
    });
    fc.assert(
      fc.property(evil, (fromName) => {
        const changed = overrideHeader(given, { fromName: `x${fromName}\r\nBcc: spy@evil.test\r\n\r\nbody` });
        assert.deepEqual(valuesOf(changed, 'bcc'), []);
        assert.equal(mailboxOf(changed).address, 'news@shop.test');
        assert.ok(changed.toString().endsWith(`\r\n\r\n${BODY}`));
        assert.equal(scanHeader(changed).fields.length, 4);
      }),
      { numRuns: 300 },
    );
  });

  test('any bytes as content neither hang nor throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        overrideHeader(Buffer.from(bytes), { fromEmail: 'n@b.test', fromName: 'N', replyTo: 'r@b.test' });
      }),
    );
  });
});

describe('header changes of an ISP', () => {
  test('removes, adds and replaces without regard to case', () => {
    const given = content('Subject: s', 'X-Internal: 1', 'x-internal: 2', 'X-Class: old', 'To: x@y.test');
    const changed = ispHeader(given, { add: { 'X-CLASS': 'new', 'X-More': 'ü' }, remove: ['x-INTERNAL'] });
    assert.deepEqual(valuesOf(changed, 'x-internal'), []);
    assert.deepEqual(valuesOf(changed, 'x-class'), ['new']);
    assert.equal(valuesOf(changed, 'x-more').length, 1);
    assert.ok(changed.toString().startsWith('Subject: s\r\nTo: x@y.test\r\n'));
    assert.ok(changed.toString().endsWith(`\r\n\r\n${BODY}`));
  });
});
