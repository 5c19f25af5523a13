import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readProxyHeader, type Proxied } from '../../../src/mta/smtp/server/proxy-header.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const v2 = (hex: string): Buffer => Buffer.from(SIGNATURE + hex.replaceAll(' ', ''), 'hex');
const v1 = (line: string): Buffer => Buffer.from(`${line}\r\n`, 'latin1');
const UNKNOWN: Proxied = { peerAddress: '', peerPort: 0, localAddress: '' };
const FOUR: Proxied = { peerAddress: '203.0.113.9', peerPort: 4660, localAddress: '192.0.2.1' };
const SIX: Proxied = { peerAddress: '2001:db8::9', peerPort: 4660, localAddress: '2001:db8::1' };
const SIX_HEX = '20010db8000000000000000000000009 20010db8000000000000000000000001 1234 0019';

const GOOD: readonly (readonly [string, Buffer, Proxied | undefined])[] = [
  ['v1 TCP4', v1('PROXY TCP4 203.0.113.9 192.0.2.1 4660 25'), FOUR],
  ['v1 TCP6', v1('PROXY TCP6 2001:DB8:0::9 2001:db8::1 4660 25'), SIX],
  ['v1 with mapped addresses', v1('PROXY TCP6 ::ffff:cb00:7109 ::FFFF:192.0.2.1 4660 25'), FOUR],
  ['v1 UNKNOWN', v1('PROXY UNKNOWN'), UNKNOWN],
  ['v1 UNKNOWN with more', v1('PROXY UNKNOWN ffff::1 ffff::2 65535 65535'), UNKNOWN],
  ['v2 IPv4', v2('21 11 000c cb007109 c0000201 1234 0019'), FOUR],
  ['v2 IPv4 with TLVs', v2('21 11 0013 cb007109 c0000201 1234 0019 04 0004 00000000'), FOUR],
  ['v2 IPv6', v2(`21 21 0024 ${SIX_HEX}`), SIX],
  ['v2 with a Unix socket', v2(`21 31 00d8 ${'2f'.repeat(216)}`), UNKNOWN],
  ['v2 of no family', v2('21 00 0000'), UNKNOWN],
  ['v2 LOCAL', v2('20 00 0000'), undefined],
  ['v2 LOCAL with what is to be skipped', v2('20 11 000c cb007109 c0000201 1234 0019'), undefined],
];

describe('a PROXY header', () => {
  for (const [name, header, proxied] of GOOD)
    test(`${name}, cut at every byte and with the session behind it`, () => {
      for (let end = 0; end < header.length; end++)
        assert.deepEqual(readProxyHeader(header.subarray(0, end)), { status: 'more' }, `${end} bytes`);
      const whole = { status: 'complete', length: header.length, proxied };
      assert.deepEqual(readProxyHeader(header), whole);
      assert.deepEqual(readProxyHeader(Buffer.concat([header, Buffer.from('EHLO a\r\n')])), whole);
    });

  const bad: readonly (readonly [string, Buffer, RegExp])[] = [
    ['a command', v1('EHLO a'), /does not begin/],
    ['lower case', v1('proxy TCP4 1.2.3.4 1.2.3.4 1 2'), /does not begin/],
    ['two spaces', v1('PROXY  TCP4 1.2.3.4 1.2.3.4 1 2'), /another protocol/],
    ['UDP', v1('PROXY UDP4 1.2.3.4 1.2.3.4 1 2'), /another protocol/],
    ['a field too few', v1('PROXY TCP4 1.2.3.4 1.2.3.4 1'), /two ports/],
    ['a field too many', v1('PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3'), /two ports/],
    ['the other family', v1('PROXY TCP4 ::1 ::1 1 2'), /address that is not one of TCP4/],
    ['an octal address', v1('PROXY TCP4 010.0.0.1 1.2.3.4 1 2'), /address/],
    ['a zone', v1('PROXY TCP6 fe80::1%lo ::1 1 2'), /address/],
    ['a port too high', v1('PROXY TCP4 1.2.3.4 1.2.3.4 65536 2'), /port/],
    ['a port with a sign', v1('PROXY TCP4 1.2.3.4 1.2.3.4 1 +2'), /port/],
    ['a bare line feed', Buffer.from('PROXY UNKNOWN\n'), /CRLF/],
    ['a line without end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`), /longer than 107/],
    ['version 1 in binary', v2('11 11 000c'), /another version/],
    ['another command', v2('22 11 000c'), /another version/],
    ['datagrams', v2('21 12 000c'), /than TCP/],
    ['an unassigned family', v2('21 41 000c'), /than TCP/],
    ['too short for its addresses', v2('21 21 000c'), /too short/],
    ['too long', v2('21 11 1001'), /limit is 4096/],
  ];
  for (const [name, bytes, reason] of bad)
    test(`refused: ${name}`, () => {
      const header = readProxyHeader(bytes);
      assert.equal(header.status, 'malformed');
      assert.match(header.reason, reason);
    });

  test('any bytes are refused, understood or bounded; any addresses are read back', () => {
    const prefix = fc.constantFrom(Buffer.alloc(0), Buffer.from('PROXY '), v2('21'), v2('21 11 00'));
    fc.assert(
      fc.property(prefix, fc.uint8Array({ minLength: 4200, maxLength: 4200 }), (start, noise) => {
        assert.notEqual(readProxyHeader(Buffer.concat([start, noise])).status, 'more');
      }),
      { numRuns: 200 },
    );
    const port = fc.nat({ max: 65_535 });
    fc.assert(
      fc.property(fc.tuple(fc.ipV4(), fc.ipV4()), port, fc.nat({ max: 60 }), ([peer, local], from, cut) => {
        const header = v1(`PROXY TCP4 ${peer} ${local} ${from} 25`);
        if (cut < header.length) assert.equal(readProxyHeader(header.subarray(0, cut)).status, 'more');
        assert.deepEqual(readProxyHeader(header), {
          status: 'complete',
          length: header.length,
          proxied: { peerAddress: peer, peerPort: from, localAddress: local },
        });
      }),
    );
  });
});
