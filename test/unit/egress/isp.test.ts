import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IspIndex } from '../../../src/mta/egress/isp.ts';

const NO_HEADERS = { add: {}, remove: [] };
const index = new IspIndex([
  { name: 'gmail', domains: ['gmail.com', 'googlemail.com'], mx: ['*.google.com'], headers: NO_HEADERS },
  { name: 'vip', domains: ['hosted.test'], mx: [], headers: NO_HEADERS },
  { name: 'late', domains: [], mx: ['*.google.com', 'mx.late.test'], headers: NO_HEADERS },
]);

describe('isp index', () => {
  test('by domain, without a look at the hosts', () => {
    assert.equal(index.byDomain('gmail.com'), 'gmail');
    assert.equal(index.byDomain('sub.gmail.com'), undefined);
  });

  test('by the hosts of a domain that nobody names', () => {
    assert.equal(index.find('shop.test', ['aspmx.l.google.com']), 'gmail', 'the first ISP wins');
    assert.equal(index.find('shop.test', ['mx.late.test']), 'late');
    assert.equal(
      index.find('shop.test', ['backup.test', 'aspmx.l.google.com']),
      'gmail',
      'one host is enough',
    );
  });

  test('a domain that is named wins over its hosts', () => {
    assert.equal(index.find('hosted.test', ['aspmx.l.google.com']), 'vip');
    assert.equal(index.find('gmail.com', ['mx.late.test']), 'gmail');
  });

  test('a suffix covers names below it, not the name itself nor others that end like it', () => {
    assert.equal(index.find('shop.test', ['google.com']), undefined);
    assert.equal(index.find('shop.test', ['notgoogle.com', 'mx.notgoogle.com']), undefined);
    assert.equal(index.find('shop.test', ['a.mx.late.test']), undefined);
    assert.equal(index.find('shop.test', []), undefined);
  });
});
