import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatServer, parseServer, systemServers } from '../../../src/mta/dns/index.ts';

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
