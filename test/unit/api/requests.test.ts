import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as z from 'zod';
import { parseTime } from '../../../src/mta/ingress/index.ts';
import { contentOf } from '../../../src/api/labels.ts';
import * as schemas from '../../../src/api/schemas.ts';
import { check, instead } from '../../../src/api/shape.ts';

const NOW = Date.UTC(2026, 0, 1);
const BODY = { envelope: { from: 'a@a.test', to: ['b@b.test'] }, content: 'x' };

function problems(schema: z.ZodType, value: unknown): string[] {
  const result = check(schema, value);
  return result.ok ? [] : result.error.map(({ field, message }) => `${field}: ${message}`);
}

describe('times', () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ['2026-01-01T00:00:00Z', NOW],
    ['2026-01-01T02:00+02:00', NOW],
    ['2026-01-01T00:00:00.250Z', NOW + 250],
    ['2h', NOW + 7_200_000],
    ['1h30m', NOW + 5_400_000],
    ['2026-01-01', undefined],
    ['2026-01-01T00:00:00', undefined],
    ['2026-13-01T00:00:00Z', undefined],
    ['tomorrow', undefined],
    ['2', undefined],
    ['', undefined],
    ['-2h', undefined],
    ['999999w', undefined],
  ];
  for (const [text, expected] of cases)
    test(`${text || 'nothing'}`, () => assert.equal(parseTime(text, NOW), expected));
});

describe('requests', () => {
  test('a plain message fits', () => assert.deepEqual(problems(schemas.messageBody, BODY), []));

  const bad: readonly (readonly [object, string])[] = [
    [{ envelope: undefined }, 'envelope: is missing'],
    [{ envelope: { from: 'a@a.test', to: [] } }, 'envelope.to: needs a recipient'],
    [{ envelope: { from: 'a@a.test', to: 'b@b.test' } }, 'envelope.to: expected a list, got a string'],
    [
      { envelope: { from: 'a@a.test', to: ['b@b.test', null] } },
      'envelope.to[1]: expected a string, got null',
    ],
    [{ envelope: { ...BODY.envelope, form: 1 } }, 'envelope.form: unknown field, did you mean "from"?'],
    [{ sendr: 'x' }, 'sendr: unknown field, did you mean "sender"?'],
    [{ content: undefined }, 'content: is missing: give the message as content, or its parts'],
    [{ parts: { from: 'a@a.test', subject: 's' } }, 'parts: give either content or parts, not both'],
    [{ sender: 'a', virtual_sender: 'b' }, 'sender: give either sender or virtual_sender, not both'],
    [{ missing: 'refuse' }, 'missing: belongs to parts, and there are none'],
    [{ missing: 'no' }, 'missing: expected one of empty, refuse'],
    [{ band: 'prio' }, 'band: expected one of priority, geo, standard'],
    [{ campaign_id: '' }, 'campaign_id: must not be empty: leave it out instead'],
    [{ campaign_id: 'a\0b' }, 'campaign_id: has a control character or a broken Unicode character'],
    [{ account_id: '\ud800' }, 'account_id: has a control character or a broken Unicode character'],
    [{ metadata: [] }, 'metadata: expected an object, got a list'],
    [{ metadata: { a: 'x'.repeat(9000) } }, 'metadata: is longer than 8192 characters of JSON'],
    [
      { expires: 'soon' },
      'expires: is neither a time such as 2026-05-01T08:00:00Z nor a duration from now such as 2h',
    ],
    [{ idempotency_key: '' }, 'idempotency_key: must not be empty: leave it out instead'],
  ];
  for (const [change, expected] of bad)
    test(expected, () => assert.ok(problems(schemas.messageBody, { ...BODY, ...change }).includes(expected)));

  test('metadata that is nested without end is refused, not followed', () => {
    const deep = JSON.parse('{"a":'.repeat(5000) + '1' + '}'.repeat(5000)) as object;
    assert.deepEqual(problems(schemas.messageBody, { ...BODY, metadata: deep }), [
      'metadata: is nested deeper than 20 levels',
      'metadata: is longer than 8192 characters of JSON',
    ]);
  });

  test('all problems come at once, but not without end', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 1]));
    assert.equal(problems(schemas.messageBody, { ...BODY, ...many }).length, 20);
  });

  test('a batch header takes from in one of two places', () => {
    assert.deepEqual(problems(schemas.batchHeader, { from: '', content: 'x' }), []);
    assert.deepEqual(problems(schemas.batchHeader, { envelope: { from: '' }, content: 'x' }), []);
    assert.deepEqual(problems(schemas.batchHeader, { content: 'x' }), [
      'from: give either from or envelope.from',
    ]);
  });

  test('query strings', () => {
    assert.deepEqual(schemas.queueQuery.parse({ group_by: 'isp,node' }).group_by, ['isp', 'node']);
    assert.deepEqual(problems(schemas.queueQuery, { group_by: 'isp,nod' }), [
      'group_by[1]: expected one of account, campaign, isp, sender, node, domain, did you mean "node"?',
    ]);
    assert.deepEqual(problems(schemas.eventsQuery, { after: 'x', follow: 'perhaps' }), [
      'after: is not a number',
      'follow: expected true or false',
    ]);
    assert.equal(schemas.eventsQuery.parse({ after: '-20', follow: 'true' }).after, -20);
  });

  test('the schemas can be written as JSON Schema', () => {
    for (const schema of [schemas.messageBody, schemas.batchHeader, schemas.batchLine, schemas.eventsQuery])
      assert.equal(z.toJSONSchema(schema, { io: 'input' }).type, 'object');
  });

  test('a suggestion is near or there is none', () => {
    assert.equal(instead('delivred', ['delivered', 'accepted']), ', did you mean "delivered"?');
    assert.equal(instead('x', ['delivered', 'accepted']), '');
  });
});

describe('content', () => {
  const decode = (content: string): string | undefined => {
    const result = contentOf({ ...BODY, content, content_encoding: 'base64' });
    return result.ok ? (result.value as Buffer).toString() : undefined;
  };
  test('base64 with and without padding and line breaks', () => {
    assert.equal(decode('aGVsbG8='), 'hello');
    assert.equal(decode('aGVs\r\nbG8'), 'hello');
    assert.equal(decode(''), '');
  });
  test('what is not base64 is refused', () => {
    for (const text of ['aGVsbG8=!', 'hällo', 'a', 'aGVsb', 'aG=sbG8='])
      assert.equal(decode(text), undefined, text);
  });
});
