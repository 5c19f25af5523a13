/** Whatever comes back, reading it ends in a value: no exception, no endless loop. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import fc from 'fast-check';
import type { QueryType } from '../../src/mta/dns/answer.ts';
import { encodeQuery, isQueryName, readMessage, type Reading } from '../../src/mta/dns/wire.ts';
import { parseServer } from '../../src/mta/dns/index.ts';
import { answerFromZones } from '../../src/testbed/dns-zones.ts';

const TYPES: readonly QueryType[] = ['MX', 'A', 'AAAA', 'TXT', 'PTR', 'TLSA', 'CNAME'];
const KINDS = ['records', 'nodata', 'nxdomain', 'failure', 'foreign', 'truncated', 'alias'];
const type = fc.constantFrom(...TYPES);
const runs = { numRuns: 2_000 };

function check(reading: Reading): void {
  assert.ok(KINDS.includes(reading.kind));
  if (reading.kind === 'records') assert.ok(reading.records.length > 0 && Number.isFinite(reading.ttlMs));
}

test('random bytes', () => {
  fc.assert(
    fc.property(type, fc.uint8Array({ maxLength: 600 }), (asked, bytes) => {
      check(readMessage(Buffer.from(bytes), encodeQuery({ name: 'a.example', type: asked }, 1), 's'));
    }),
    runs,
  );
});

test('random bytes behind the header and question that we wait for', () => {
  const counts = fc.uint8Array({ minLength: 6, maxLength: 6 });
  const rest = fc.uint8Array({ maxLength: 600 });
  fc.assert(
    fc.property(type, fc.constantFrom(0, 3), counts, rest, (asked, rcode, few, bytes) => {
      const query = encodeQuery({ name: 'a.example', type: asked }, 1);
      const head = Buffer.from(query.bytes.subarray(0, 12 + 11 + 4));
      head.writeUInt16BE(0x8000 | rcode, 2);
      for (let i = 0; i < 3; i++) head.writeUInt16BE((few[i] ?? 0) % 4, 6 + 2 * i);
      check(readMessage(Buffer.concat([head, bytes]), query, 's'));
    }),
    runs,
  );
});

test('good answers with some octets changed or cut off', () => {
  const zones = {
    'a.example': {
      MX: [
        [1, 'x.example'],
        [2, '.'],
      ],
      A: ['192.0.2.1'],
      AAAA: ['2001:db8::1'],
      TXT: ['some text', ''],
      PTR: ['p.example'],
      TLSA: [{ usage: 3, selector: 1, matchingType: 1, certificate: Buffer.alloc(32) }],
    },
    'c.example': { CNAME: 'a.example' },
  } as const;
  const change = fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 }));
  const name = fc.constantFrom('a.example', 'c.example', 'n.example');
  fc.assert(
    fc.property(
      type,
      name,
      fc.array(change, { maxLength: 6 }),
      fc.nat({ max: 400 }),
      (asked, of, changes, end) => {
        const query = encodeQuery({ name: of, type: asked }, 1);
        const bytes = packet.encode({ ...answerFromZones(zones, query.question), id: 1 });
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        check(readMessage(bytes.subarray(0, Math.max(end, 20)), query, 's'));
      },
    ),
    runs,
  );
});

test('names that may be asked for make a question, all others are turned away', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain(), fc.string({ unit: 'binary', maxLength: 300 })), (name) => {
      if (!isQueryName(name)) return;
      const query = encodeQuery({ name, type: 'A' }, 1);
      assert.equal(packet.decode(query.bytes).questions?.[0]?.name, name);
    }),
    runs,
  );
});

test('texts that are not a server address give undefined', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const server = parseServer(text);
      if (server) assert.ok(server.port > 0 && server.port < 65536);
    }),
  );
});
