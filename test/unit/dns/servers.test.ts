import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatServer, matchesMxSuffix, parseServer, systemServers } from '../../../src/mta/dns/index.ts';

describe('addresses of DNS servers', () => {
  const good: Readonly<Record<string, string>> = {
    '192.0.2.1': '192.0.2.1:53',
    '192.0.2.1:5353': '192.0.2.1:5353',
    '2001:db8::1': '[2001:db8::1]:53',
    '[2001:db8::1]': '[2001:db8::1]:53',
    '[2001:db8::1]:5353': '[2001:db8::1]:5353',
  };
  for (const [text, expected] of Object.entries(good))
    test(text, () => {
      const server = parseServer(text);
      assert.ok(server);
      assert.equal(formatServer(server), expected);
    });
  for (const text of [
    '',
    'dns.example',
    '192.0.2.1:0',
    '192.0.2.1:65536',
    '[192.0.2.1]:53',
    '1.2.3:53',
    ':53',
  ])
    test(`${JSON.stringify(text)} is none`, () => {
      assert.equal(parseServer(text), undefined);
    });

  test('those of the system can all be read', () => {
    assert.ok(systemServers().length > 0);
    for (const text of systemServers()) assert.ok(parseServer(text), text);
  });
});

describe('MX suffixes', () => {
  const cases: readonly (readonly [hosts: string[], patterns: string[], expected: boolean])[] = [
    [['aspmx.l.google.com'], ['*.google.com'], true],
    [['aspmx.l.google.com'], ['*.GOOGLE.com'], true],
    [['google.com'], ['*.google.com'], false],
    [['notgoogle.com'], ['*.google.com'], false],
    [['mx.example.net', 'alt1.google.com'], ['*.google.com'], true],
    [['mx.example.net'], ['mx.example.net'], true],
    [['a.mx.example.net'], ['mx.example.net'], false],
    [['mx.example.net'], [], false],
    [[], ['*.google.com'], false],
  ];
  for (const [hosts, patterns, expected] of cases)
    test(`${hosts.join(' ')} ${expected ? 'is' : 'is not'} of ${patterns.join(' ')}`, () => {
      assert.equal(matchesMxSuffix(hosts, patterns), expected);
    });
});
