import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IspConfig } from '../../../src/config/index.ts';
import { IspIndex } from '../../../src/mta/egress/isp.ts';

const isp = (name: string, domains: string[], mx: string[], wishes: Partial<IspConfig> = {}): IspConfig => ({
  name,
  domains,
  mx,
  headers: { add: {}, remove: [] },
  encoding: null,
  strategy: null,
  source: null,
  ...wishes,
});
const index = new IspIndex([
  isp('gmail', ['gmail.com', 'googlemail.com'], ['*.google.com']),
  isp('vip', ['hosted.test'], []),
  isp('late', [], ['*.google.com', 'mx.late.test']),
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

  test('the first ISP wins, whichever host or kind of entry it matches by', () => {
    const two = new IspIndex([isp('exact', [], ['mx.b.test']), isp('wide', [], ['*.b.test', '*.test'])]);
    assert.equal(two.find('x.example', ['other.test', 'mx.b.test']), 'exact');
    assert.equal(two.find('x.example', ['mx2.b.test']), 'wide');
  });

  test('the entry that matched is told', () => {
    const told = (domain: string, hosts: string[]): unknown[] => {
      const match = index.match(domain, hosts);
      return [match?.isp.name, match?.by, match?.entry];
    };
    assert.deepEqual(told('gmail.com', []), ['gmail', 'domain', 'gmail.com']);
    assert.deepEqual(told('shop.test', ['aspmx.l.google.com']), ['gmail', 'mx', '*.google.com']);
    assert.deepEqual(told('shop.test', ['mx.shop.test']), [undefined, undefined, undefined]);
  });

  test('what an ISP wants changed; nothing is nothing', () => {
    const headers = { add: { 'X-A': 'b' }, remove: [] };
    const encoding = { text: null, html: 'base64' } as const;
    const wishes = new IspIndex([
      isp('a', ['a.test'], [], { headers }),
      isp('b', ['b.test'], [], { encoding }),
    ]);
    assert.deepEqual(wishes.wishesOf('a'), { headers });
    assert.deepEqual(wishes.wishesOf('b'), { encoding });
    assert.equal(index.wishesOf('gmail'), undefined);
  });
});
