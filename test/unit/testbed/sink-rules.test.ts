import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { matcherOf, parseReply, parseSinkRule, SinkRules } from '../../../src/testbed/sink-rules.ts';
import { RateWatch } from '../../../src/testbed/sink-rate.ts';

const later = { code: 451, enhanced: '4.7.1', text: 'greylisted' };

describe('rules in text form', () => {
  const good: readonly (readonly [string, unknown])[] = [
    ['rcpt = 451 4.7.1 greylisted', { phase: 'rcpt', action: later }],
    [
      'rcpt *@a.test 20% once = 451 4.7.1 greylisted',
      { phase: 'rcpt', recipient: '*@a.test', share: 0.2, once: true, action: later },
    ],
    ['content 0.5=disconnect', { phase: 'content', share: 0.5, action: 'disconnect' }],
    ['mid-content = hang', { phase: 'mid-content', action: 'hang' }],
    ['greeting=554 a=b', { phase: 'greeting', action: { code: 554, enhanced: undefined, text: 'a=b' } }],
  ];
  for (const [text, rule] of good)
    test(text, () => assert.deepEqual(parseSinkRule(text), { ok: true, value: rule }));

  const bad: readonly (readonly [string, RegExp])[] = [
    ['rcpt', /form/],
    ['quit = 421', /phase/],
    ['= 421', /phase/],
    ['rcpt = maybe', /action/],
    ['rcpt = 354 go', /action/],
    ['rcpt 120% = hang', /120%/],
    ['rcpt twice = hang', /twice/],
    ['mid-content = 451 4.0.0 x', /mid-content/],
  ];
  for (const [text, reason] of bad)
    test(`refused: ${text}`, () => {
      const result = parseSinkRule(text);
      assert.ok(!result.ok);
      assert.match(result.error, reason);
    });

  test('a reply without text', () =>
    assert.deepEqual(parseReply('450'), { code: 450, enhanced: undefined, text: '' }));
});

describe('patterns', () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['u1@d.test', 'U1@d.test', true],
    ['u1@d.test', 'u11@d.test', false],
    ['*@d.test', 'x@d.test', true],
    ['*@d.test', 'x@e.d.test', false],
    ['u*@*.test', 'u7@a.b.test', true],
    ['u*@*.test', 'v7@a.b.test', false],
    ['a.b*', 'axb@c.test', false],
    ['*', '', true],
  ];
  for (const [pattern, address, expected] of cases)
    test(`${pattern} ${address}`, () => assert.equal(matcherOf(pattern)(address), expected));
});

describe('which rule applies', () => {
  test('the first that matches', () => {
    const rules = new SinkRules(
      [
        { phase: 'rcpt', recipient: '*@a.test', action: 'hang' },
        { phase: 'rcpt', action: later },
      ],
      () => 0,
    );
    assert.equal(rules.find('rcpt', ['x@a.test']), 'hang');
    assert.equal(rules.find('rcpt', ['x@b.test']), later);
    assert.equal(rules.find('data', ['x@b.test']), undefined);
  });

  test('once per recipient', () => {
    const rules = new SinkRules([{ phase: 'rcpt', once: true, action: later }], () => 0);
    assert.equal(rules.find('rcpt', ['x@a.test']), later);
    assert.equal(rules.find('rcpt', ['x@a.test']), undefined);
    assert.equal(rules.find('rcpt', ['y@a.test']), later);
  });

  test('a share of the cases', () => {
    const draws = [0.1, 0.3, 0.19, 0.2];
    const rules = new SinkRules([{ phase: 'mail', share: 0.2, action: later }], () => draws.shift() ?? 1);
    const hits = [1, 2, 3, 4].map(() => rules.find('mail', ['a@b.test']) !== undefined);
    assert.deepEqual(hits, [true, false, true, false]);
  });
});

describe('the rate limit', () => {
  test('no window of the length may hold more, half-open', () => {
    const watch = new RateWatch({ count: 2, perMs: 1000 });
    const at = (ms: number): boolean => watch.admit('192.0.2.1', ms);
    assert.deepEqual([0, 500, 999, 1000, 1499, 1500, 1999, 2000].map(at), [
      true,
      true,
      false,
      true,
      false,
      true,
      false,
      true,
    ]);
    assert.equal(watch.admit('192.0.2.2', 2000), true, 'each peer has its own');
  });

  test('tolerance', () => {
    const watch = new RateWatch({ count: 10, perMs: 1000, tolerance: 0.1 });
    const admitted = Array.from({ length: 20 }, () => watch.admit('a', 5)).filter(Boolean);
    assert.equal(admitted.length, 11);
  });
});
