import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { parseParameters, parsePath } from '../../../src/mta/smtp/server/path.ts';

const path = (text: string): ReturnType<typeof parsePath> => {
  const bytes = Buffer.from(text);
  return parsePath(bytes, 0, bytes.length);
};

describe('paths', () => {
  const good: readonly (readonly [string, string])[] = [
    ['<>', ''],
    ['<a@b.test>', 'a@b.test'],
    ['<a@B.Test>', 'a@b.test'],
    ['<"a>b"@c.test>', '"a>b"@c.test'],
    ['<"a\\">b"@c.test>', '"a\\">b"@c.test'],
    ['<"a b"@c.test> SIZE=1', '"a b"@c.test'],
    ['<a@bücher.test>', 'a@xn--bcher-kva.test'],
    ['<Postmaster>', 'postmaster'],
    ['<a+b=c%d@e.test>', 'a+b=c%d@e.test'],
  ];
  for (const [text, address] of good)
    test(text, () => {
      const result = path(text);
      assert.ok(result.ok);
      assert.equal(result.value.address, address);
      assert.equal(result.value.needsUtf8, false);
    });

  test('a local part in UTF-8 is marked', () => {
    const result = path('<josé@b.test>');
    assert.ok(result.ok);
    assert.equal(result.value.address, 'josé@b.test');
    assert.equal(result.value.needsUtf8, true);
  });

  const bad: readonly (readonly [string, RegExp])[] = [
    ['a@b.test', /angle brackets/],
    ['', /angle brackets/],
    ['<a@b.test', /closing/],
    ['<"a@b.test>', /closing/],
    ['<a@b.test>x', /space/],
    ['<@x.test,@y.test:a@b.test>', /source routes/],
    ['<a>', /local@domain/],
    ['<a@>', /domain/],
    ['<a b@c.test>', /quotes/],
    ['<a..b@c.test>', /quotes/],
    ['<a@[192.0.2.1]>', /domain/],
    [`<${'x'.repeat(65)}@b.test>`, /64/],
    [`<a@${'x'.repeat(2000)}>`, /too long/],
    ['<a\0b@c.test>', /quotes/],
    ['<a\rb@c.test>', /quotes/],
  ];
  for (const [text, reason] of bad)
    test(`refused: ${JSON.stringify(text.slice(0, 40))}`, () => {
      const result = path(text);
      assert.ok(!result.ok);
      assert.match(result.error, reason);
    });

  test('bytes that are not UTF-8 are refused', () => {
    const bytes = Buffer.from('<jos\xe9@b.test>', 'latin1');
    const result = parsePath(bytes, 0, bytes.length);
    assert.deepEqual(result, { ok: false, error: 'the address is not valid UTF-8' });
  });
});

describe('parameters', () => {
  const parse = (text: string): unknown => {
    const bytes = Buffer.from(text);
    const parameters = parseParameters(bytes, 0, bytes.length);
    return parameters && Object.fromEntries(parameters);
  };
  test('none, one, several', () => {
    assert.deepEqual(parse(''), {});
    assert.deepEqual(parse('   '), {});
    assert.deepEqual(parse(' size=100'), { SIZE: '100' });
    assert.deepEqual(parse(' BODY=8BITMIME  SMTPUTF8 '), { BODY: '8BITMIME', SMTPUTF8: '' });
  });
  test('malformed or twice', () => {
    for (const text of ['=1', 'SIZE=', 'SIZE==1', 'SI_ZE=1', 'SIZE=1 SIZE=2', 'A=\x01'])
      assert.equal(parse(text), undefined, text);
  });
});
