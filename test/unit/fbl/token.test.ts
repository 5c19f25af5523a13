import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { deliveryIdOf } from '../../../src/core/index.ts';
import { createTokens } from '../../../src/fbl/index.ts';

const key = (fill: number): Buffer => Buffer.alloc(32, fill);
const tokens = createTokens([{ id: '1', key: key(1) }]);
const delivery = deliveryIdOf(123_456_789_012, 7);

describe('return-path tokens', () => {
  test('name their delivery, whatever happens to case and look-alike characters', () => {
    const address = tokens.returnPath(delivery, 'Bounce.Example.COM');
    assert.match(address, /^b\+1[0-9a-z]{34}@bounce\.example\.com$/);
    for (const form of [address, address.toUpperCase(), address.replaceAll('0', 'O').replaceAll('1', 'l')])
      assert.deepEqual(
        tokens.verify(form),
        { ok: true, value: { deliveryId: delivery, keyId: '1', use: 'return_path' } },
        form,
      );
  });

  test('every delivery can be named', () => {
    const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(number, fc.integer({ min: 1, max: 999_999_999 }), (message, index) => {
        const id = deliveryIdOf(message, index);
        const address = tokens.returnPath(id, 'b.example.com');
        assert.ok(address.indexOf('@') <= 64);
        const result = tokens.verify(address);
        assert.ok(result.ok && result.value.deliveryId === id);
      }),
    );
  });

  test('a change anywhere is noticed', () => {
    const address = tokens.returnPath(delivery, 'b.example.com');
    const at = address.indexOf('@');
    for (let i = 3; i < at; i++) {
      const other = address[i] === 'a' ? 'b' : 'a';
      const result = tokens.verify(address.slice(0, i) + other + address.slice(i + 1));
      // A digit that no delivery has may be called malformed instead.
      assert.ok(!result.ok && result.error !== 'unknown_key', `character ${i}`);
    }
    assert.deepEqual(tokens.verify(address.replace('@b.', '@c.')), { ok: false, error: 'bad_signature' });
    assert.deepEqual(tokens.verify(address.replace('b+1', 'b+2')), { ok: false, error: 'unknown_key' });
  });

  test('one use of a token is not another', () => {
    const addresses = (['return_path', 'header', 'unsubscribe'] as const).map((use) => {
      const address = tokens.address(use, delivery, 'b.example.com');
      assert.deepEqual(tokens.verify(address.toUpperCase()), {
        ok: true,
        value: { deliveryId: delivery, keyId: '1', use },
      });
      return address;
    });
    for (const address of addresses)
      for (const letter of 'bhu')
        if (letter !== address[0])
          assert.deepEqual(tokens.verify(letter + address.slice(1)), { ok: false, error: 'bad_signature' });
    const bare = tokens.urlToken(delivery);
    assert.match(bare, /^[0-9a-z]{35}$/);
    assert.deepEqual(tokens.verify(bare), {
      ok: true,
      value: { deliveryId: delivery, keyId: '1', use: 'url' },
    });
    assert.ok(!tokens.verify(`u+${bare}@b.example.com`).ok);
    assert.ok(!tokens.verify(addresses[2]!.slice(2, 37)).ok);
  });

  test('one that was cut off does not verify', () => {
    const address = tokens.returnPath(delivery, 'b.example.com');
    for (let cut = 1; cut < 36; cut++)
      assert.ok(!tokens.verify(`${address.slice(0, 37 - cut)}@b.example.com`).ok, `${cut} characters less`);
  });

  for (const text of [
    '',
    'a@b.cc',
    'b+@b.cc',
    'b+1234@b.cc',
    `b+${'u'.repeat(35)}@b.cc`,
    `c+${'1'.repeat(35)}@b.cc`,
  ])
    test(`${text} is malformed`, () =>
      assert.deepEqual(tokens.verify(text), { ok: false, error: 'malformed' }));

  test('no input hangs, throws or verifies', () => {
    const local = fc.string({ unit: fc.constantFrom(...'b+01az@.\u00fc'), maxLength: 50 });
    fc.assert(fc.property(local, (text) => assert.ok(!tokens.verify(`b+${text}@b.example.com`).ok)));
  });

  test('keys can be replaced: the first signs, all verify', () => {
    const address = tokens.returnPath(delivery, 'b.example.com');
    const next = createTokens([
      { id: 'A', key: key(2) },
      { id: '1', key: key(1) },
    ]);
    const result = next.verify(address);
    assert.ok(result.ok && result.value.keyId === '1');
    assert.match(next.returnPath(delivery, 'b.example.com'), /^b\+a/);
    const other = createTokens([{ id: '1', key: key(3) }]);
    assert.deepEqual(other.verify(address), { ok: false, error: 'bad_signature' });
  });

  test('bad secrets are a programming error', () => {
    assert.throws(() => createTokens([]), TypeError);
    for (const id of ['', '11', 'u', '+'])
      assert.throws(() => createTokens([{ id, key: key(1) }]), TypeError);
    assert.throws(() => createTokens([{ id: '1', key: Buffer.alloc(8) }]), TypeError);
    const twice = { id: 'a', key: key(1) };
    assert.throws(() => createTokens([twice, { ...twice, id: 'A' }]), TypeError);
  });
});
