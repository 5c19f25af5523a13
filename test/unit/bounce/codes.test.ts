import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { classifyByCode as classify } from '../../../src/bounce/index.ts';
import type { Refusal, RefusalCause } from '../../../src/core/index.ts';

function replied(code: number, enhanced?: string, text = 'no'): Refusal {
  const reply = { code, enhanced, text };
  return { scope: 'recipient', permanent: code >= 500, phase: 'rcpt', reply, cause: undefined, text };
}
const failedBy = (cause: RefusalCause, permanent = false): Refusal => ({
  scope: 'host',
  permanent,
  phase: 'connect',
  reply: undefined,
  cause,
  text: 'it failed',
});
const verdict = (refusal: Refusal): string => {
  const { class: bounceClass, category } = classify(refusal);
  return `${bounceClass} ${category}`;
};

describe('classifyByCode', () => {
  const table: readonly (readonly [number, string | undefined, string])[] = [
    [550, '5.1.1', 'hard bad_mailbox'],
    [550, '5.1.2', 'hard bad_domain'],
    [553, '5.1.3', 'hard bad_mailbox'],
    [551, '5.1.6', 'hard moved'],
    [556, '5.1.10', 'hard bad_domain'],
    [550, '5.1.7', 'block sender_refused'],
    [550, '5.1.8', 'block sender_refused'],
    [550, '5.2.1', 'other inactive_mailbox'],
    [552, '5.2.2', 'soft mailbox_full'],
    [452, '4.2.2', 'soft mailbox_full'],
    [552, '5.2.3', 'other too_large'],
    [552, '5.3.4', 'other too_large'],
    [450, '4.4.1', 'soft network'],
    [450, '4.4.3', 'soft dns'],
    [450, '4.4.7', 'soft expired'],
    [550, '5.7.0', 'block policy'],
    [550, '5.7.1', 'block policy'],
    [550, '5.7.20', 'block auth_failed'],
    [550, '5.7.26', 'block auth_failed'],
    [550, '5.7.27', 'block sender_refused'],
    [421, '4.7.28', 'soft rate_limited'],
    [421, undefined, 'soft connection_limit'],
    [552, undefined, 'soft mailbox_full'],
    [550, undefined, 'other other'],
    [554, '5.5.2', 'other protocol'],
    [599, '5.9.9', 'other other'],
    [450, undefined, 'soft other'],
    [451, '4.3.0', 'soft other'],
    [450, '4.1.1', 'soft bad_mailbox'],
    [450, '4.1.2', 'soft bad_domain'],
  ];
  for (const [code, enhanced, wanted] of table) {
    test(`${code} ${enhanced ?? 'alone'} is ${wanted}`, () =>
      assert.equal(verdict(replied(code, enhanced)), wanted));
  }

  test('codes that contradict each other never make an address dead', () => {
    assert.notEqual(classify(replied(550, '4.1.1')).class, 'hard');
    assert.notEqual(classify(replied(550, '2.1.1')).class, 'hard');
    assert.notEqual(classify(replied(450, '5.1.1')).class, 'hard');
  });

  const causes: readonly (readonly [RefusalCause, string])[] = [
    ['connect', 'soft network'],
    ['timeout', 'soft network'],
    ['disconnect', 'soft network'],
    ['dns', 'soft dns'],
    ['tls', 'soft tls'],
    ['protocol', 'soft protocol'],
    ['node_down', 'other system'],
    ['unsupported', 'other protocol'],
    ['dkim', 'other system'],
    ['internal', 'other system'],
  ];
  for (const [cause, wanted] of causes) {
    test(`${cause} without a reply is ${wanted}`, () => assert.equal(verdict(failedBy(cause)), wanted));
  }

  const enhancedCode = fc.option(
    fc.tuple(fc.constantFrom('2', '4', '5'), fc.nat(12), fc.nat(40)).map((digits) => digits.join('.')),
    { nil: undefined },
  );

  test('a temporary refusal is never hard, whatever its codes say', () => {
    fc.assert(
      fc.property(fc.integer({ min: 400, max: 499 }), enhancedCode, fc.string(), (code, enhanced, text) =>
        assert.notEqual(classify(replied(code, enhanced, text)).class, 'hard'),
      ),
      { numRuns: 2_000 },
    );
  });

  test('hard needs a 5xx and one of five enhanced codes; no words and no unknown code are enough', () => {
    const dead = new Set(['5.1.1', '5.1.2', '5.1.3', '5.1.6', '5.1.10']);
    fc.assert(
      fc.property(fc.integer({ min: 500, max: 599 }), enhancedCode, fc.string(), (code, enhanced, text) => {
        const hard = classify(replied(code, enhanced, text)).class === 'hard';
        assert.equal(hard, enhanced !== undefined && dead.has(enhanced));
      }),
      { numRuns: 4_000 },
    );
  });

  test('a failure without a reply is never hard', () => {
    const cause = fc.constantFrom(...causes.map(([name]) => name));
    fc.assert(
      fc.property(cause, fc.boolean(), (name, permanent) =>
        assert.notEqual(classify(failedBy(name, permanent)).class, 'hard'),
      ),
    );
  });
});
