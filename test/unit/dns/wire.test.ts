import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import packet, { type Answer, type Packet } from 'dns-packet';
import type { QueryType } from '../../../src/mta/dns/answer.ts';
import { encodeQuery, readMessage, type Reading } from '../../../src/mta/dns/wire.ts';

const ID = 0x1234;

function read(type: QueryType, reply: Packet, name = 'a.example'): Reading {
  const query = encodeQuery({ name, type }, ID);
  return readMessage(message(type, reply), query, 'server');
}

const message = (type: QueryType, reply: Packet): Buffer =>
  packet.encode({ type: 'response', id: ID, questions: [{ name: 'A.Example', type }], ...reply });

const a = (name: string, ttl = 60): Answer => ({ name, type: 'A', ttl, data: '192.0.2.1' });
const cname = (name: string, data: string, ttl = 60): Answer => ({ name, type: 'CNAME', ttl, data });
const soa: Answer = {
  name: 'example',
  type: 'SOA',
  ttl: 100,
  data: { mname: 'n', rname: 'r', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 40 },
};
const RECORDS = { kind: 'records', records: ['192.0.2.1'], ttlMs: 60_000, authenticated: false };

describe('the question', () => {
  test('asks for recursion, the AD bit and 1232 bytes', () => {
    const query = packet.decode(encodeQuery({ name: 'a.example', type: 'MX' }, ID).bytes);
    assert.equal(query.id, ID);
    assert.equal(query.flag_rd && query.flag_ad && !query.flag_qr, true);
    assert.deepEqual(query.questions, [{ name: 'a.example', type: 'MX', class: 'IN' }]);
    const opt = query.additionals?.[0];
    assert.equal(opt?.type === 'OPT' && opt.udpPayloadSize, 1232);
  });
});

describe('the answer', () => {
  test('records of the name asked for, with the least TTL; others are passed over', () => {
    const answers = [a('other.example'), a('a.EXAMPLE', 300), a('a.example', 60)];
    assert.deepEqual(read('A', { answers }), { ...RECORDS, records: ['192.0.2.1', '192.0.2.1'] });
  });

  test('a chain of CNAMEs is followed in any order', () => {
    const answers = [a('c.example'), cname('b.example', 'C.example', 20), cname('a.example', 'b.example')];
    assert.deepEqual(read('A', { answers }), { ...RECORDS, ttlMs: 20_000 });
  });

  test('a CNAME without its target is an alias, with an SOA it is no data', () => {
    const answers = [cname('a.example', 'b.example')];
    const alias = { kind: 'alias', target: 'b.example', ttlMs: 60_000, authenticated: false };
    assert.deepEqual(read('A', { answers }), alias);
    assert.equal(read('A', { answers, authorities: [soa] }).kind, 'nodata');
    assert.equal(read('CNAME', { answers }).kind, 'records');
  });

  test('a loop of CNAMEs is malformed', () => {
    const answers = [cname('a.example', 'b.example'), cname('b.example', 'a.example')];
    assert.equal(reasonOf(read('A', { answers })), 'malformed');
  });

  test('negative answers carry the lesser of SOA TTL and minimum', () => {
    const negative = { ttlMs: 40_000, authenticated: false };
    assert.deepEqual(read('A', { authorities: [soa] }), { kind: 'nodata', ...negative });
    assert.deepEqual(read('A', { flags: 3, authorities: [soa] }), { kind: 'nxdomain', ...negative });
    assert.deepEqual(read('A', { flags: 3 }), { kind: 'nxdomain', ttlMs: 0, authenticated: false });
  });

  test('the AD bit is passed on', () => {
    const reading = read('A', { flags: packet.AUTHENTIC_DATA, answers: [a('a.example')] });
    assert.deepEqual(reading, { ...RECORDS, authenticated: true });
  });

  test('a TTL with its highest bit set counts as zero (RFC 2181)', () => {
    const reading = read('A', { answers: [a('a.example', 0x80000001)] });
    assert.equal(reading.kind === 'records' && reading.ttlMs, 0);
  });

  test('the other types', () => {
    const common = { name: 'a.example', ttl: 60 };
    const data = { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.from('cert') };
    const cases: readonly (readonly [QueryType, Answer, unknown])[] = [
      [
        'MX',
        { ...common, type: 'MX', data: { preference: 5, exchange: 'Mx.Example' } },
        { preference: 5, exchange: 'mx.example' },
      ],
      [
        'MX',
        { ...common, type: 'MX', data: { preference: 0, exchange: '.' } },
        { preference: 0, exchange: '.' },
      ],
      ['AAAA', { ...common, type: 'AAAA', data: '2001:db8::1' }, '2001:db8::1'],
      ['TXT', { ...common, type: 'TXT', data: ['v=DKIM1; ', Buffer.from('p=ü')] }, 'v=DKIM1; p=ü'],
      ['PTR', { ...common, type: 'PTR', data: 'Host.Example' }, 'host.example'],
      ['TLSA', { ...common, type: 'TLSA', data }, data],
    ];
    for (const [type, answer, expected] of cases) {
      const reading = read(type, { answers: [answer] });
      assert.deepEqual(reading.kind === 'records' && reading.records, [expected], type);
    }
  });
});

describe('messages that are not an answer to the question', () => {
  const query = encodeQuery({ name: 'a.example', type: 'A' }, ID);
  const good = message('A', { answers: [a('a.example')] });
  const foreign: Readonly<Record<string, Buffer>> = {
    'another id': packet.encode({ ...packet.decode(good), id: ID + 1 }),
    'another name': message('A', { questions: [{ name: 'b.example', type: 'A' }] }),
    'a longer name': message('A', { questions: [{ name: 'a.example.net', type: 'A' }] }),
    'another type': message('AAAA', {}),
    'a query': query.bytes,
    'no question': message('A', { questions: [] }),
    'half a header': good.subarray(0, 11),
    nothing: Buffer.alloc(0),
  };
  test('the good one is accepted', () => {
    assert.deepEqual(readMessage(good, query, 'server'), RECORDS);
  });
  for (const [what, bytes] of Object.entries(foreign))
    test(`${what} is foreign`, () => {
      assert.deepEqual(readMessage(bytes, query, 'server'), { kind: 'foreign' });
    });
});

describe('answers that are failures', () => {
  const cases: readonly (readonly [rcode: number, reason: string])[] = [
    [1, 'refused'],
    [2, 'servfail'],
    [4, 'refused'],
    [5, 'refused'],
  ];
  for (const [rcode, reason] of cases)
    test(`rcode ${rcode} is ${reason}, with and without the question`, () => {
      assert.equal(reasonOf(read('A', { flags: rcode })), reason);
      assert.equal(reasonOf(read('A', { flags: rcode, questions: [] })), reason);
    });

  test('a cut message is malformed, one marked as truncated is truncated', () => {
    const query = encodeQuery({ name: 'a.example', type: 'A' }, ID);
    const good = message('A', { answers: [a('a.example')] });
    assert.equal(reasonOf(readMessage(good.subarray(0, good.length - 2), query, 's')), 'malformed');
    const truncated = message('A', { flags: packet.TRUNCATED_RESPONSE });
    assert.deepEqual(readMessage(truncated, query, 's'), { kind: 'truncated' });
  });

  test('more records than an answer can have are not read', () => {
    const answers = Array.from({ length: 513 }, () => a('a.example'));
    assert.equal(reasonOf(read('A', { answers })), 'malformed');
  });
});

const reasonOf = (reading: Reading): string | undefined =>
  reading.kind === 'failure' ? reading.reason : undefined;
