import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { generateKeyPem, KeyRing, loadKey, publicRecord, type DkimKey } from '../../../src/mta/dkim/index.ts';

const pem = generateKeyPem('ed25519-sha256');
const load = (domain: string, selector = 's1'): DkimKey => {
  const key = loadKey(pem, { domain, selector });
  assert.ok(key.ok, JSON.stringify(key));
  return key.value;
};

describe('loadKey', () => {
  test('knows both kinds, in both PEM forms, and normalises names', () => {
    const key = load('M\u00fcnchen.DE', 'S1');
    assert.deepEqual(
      [key.domain, key.selector, key.algorithm],
      ['xn--mnchen-3ya.de', 's1', 'ed25519-sha256'],
    );
    const pkcs1 = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({
      type: 'pkcs1',
      format: 'pem',
    });
    const rsa = loadKey(pkcs1, { domain: 'example.com', selector: 'a.b' });
    assert.ok(rsa.ok && rsa.value.algorithm === 'rsa-sha256');
  });

  const weak = generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  });
  for (const [what, text, domain, selector, reason] of [
    ['nonsense', 'hello', 'example.com', 's', /not an unencrypted private key/],
    ['a weak key', weak, 'example.com', 's', /512 bits/],
    ['another kind of key', ec, 'example.com', 's', /neither/],
    ['a bad domain', pem, 'ex ample', 's', /domain/],
    ['a bad selector', pem, 'example.com', 's; d=evil', /selector/],
  ] as const)
    test(`refuses ${what}`, () => {
      const result = loadKey(text, { domain, selector });
      assert.ok(!result.ok);
      assert.match(result.error, reason);
    });
});

test('publicRecord gives what to publish', () => {
  const { name, text } = publicRecord(load('example.com'));
  assert.equal(name, 's1._domainkey.example.com');
  assert.match(text, /^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=$/);
});

test('KeyRing prefers the domain itself, then the nearest parent', () => {
  const ring = new KeyRing([
    load('example.com', 'a'),
    load('example.com', 'b'),
    load('mail.example.com', 'c'),
  ]);
  const selectors = (domain: string): string =>
    ring
      .keysFor(domain)
      .map((key) => key.selector)
      .join();
  assert.equal(selectors('example.com'), 'a,b');
  assert.equal(selectors('news.example.com'), 'a,b');
  assert.equal(selectors('mail.example.com'), 'c');
  assert.equal(selectors('x.y.mail.example.com'), 'c');
  assert.equal(selectors('notexample.com'), '');
  assert.equal(selectors('com'), '');
  assert.equal(selectors(''), '');
});
