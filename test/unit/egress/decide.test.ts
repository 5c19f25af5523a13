import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { RuleConfig } from '../../../src/config/index.ts';
import type { BounceClass, Refusal, RefusalCause, RefusalScope } from '../../../src/core/index.ts';
import { decide, type Decision, type Ending } from '../../../src/mta/egress/decide.ts';
import { RuleBook } from '../../../src/mta/egress/rules.ts';
import { rule } from './retry-rule.ts';
import { lockRule, ruleOf } from './rule-entries.ts';

const NOW = 1_000_000;
const DELAY = 60_000;
const SCOPES: readonly RefusalScope[] = ['recipient', 'message', 'session', 'host', 'node'];
const CLASSES: readonly BounceClass[] = ['hard', 'soft', 'block', 'other'];
const OURS: readonly RefusalCause[] = ['internal', 'node_down'];
const CAUSES: readonly (RefusalCause | undefined)[] = [
  undefined,
  'connect',
  'timeout',
  'disconnect',
  'dns',
  'tls',
  'protocol',
  'node_down',
  'unsupported',
  'dkim',
  'internal',
];

interface Facts {
  readonly scope: RefusalScope;
  readonly permanent: boolean;
  readonly cause: RefusalCause | undefined;
  readonly bounceClass: BounceClass;
  /** Of 3. */
  readonly attempt: number;
  /** ms that are left of the lifetime. */
  readonly leftMs: number;
}

const factsOf = fc.record({
  scope: fc.constantFrom(...SCOPES),
  permanent: fc.boolean(),
  cause: fc.constantFrom(...CAUSES),
  bounceClass: fc.constantFrom(...CLASSES),
  attempt: fc.integer({ min: 1, max: 5 }),
  leftMs: fc.oneof(fc.constantFrom(0, DELAY - 1, DELAY, DELAY + 1), fc.nat(10 * DELAY)),
});

const RETRY = rule({ attempts: 3, intervalMs: DELAY });

function decided(
  { scope, permanent, cause, bounceClass, attempt, leftMs }: Facts,
  { rules = [], own = false }: { readonly rules?: readonly RuleConfig[]; readonly own?: boolean } = {},
): Decision {
  const refusal: Refusal = { scope, permanent, cause, phase: 'rcpt', reply: undefined, text: 'no' };
  return decide({
    refusal,
    bounce: { class: bounceClass, category: 'other' },
    isp: 'other',
    sender: 's',
    attempt,
    rules: new RuleBook(rules),
    retry: RETRY,
    retryIsOwn: own,
    now: NOW,
    expiresAt: NOW + leftMs,
    random: () => 0,
  });
}

const endingOf = (facts: Facts): Ending => decided(facts).ending;

const DEFERRED: Ending = { kind: 'deferred', nextAttemptAt: NOW + DELAY, retry: RETRY };
const undelivered = (reason: 'refused' | 'attempts_exhausted' | 'lifetime' | 'policy'): Ending => ({
  kind: 'failed',
  type: 'undelivered',
  reason,
});
const USUAL: Facts = {
  scope: 'recipient',
  permanent: false,
  cause: undefined,
  bounceClass: 'soft',
  attempt: 1,
  leftMs: 10 * DELAY,
};

describe('decide', () => {
  const table: readonly (readonly [string, Partial<Facts>, Ending])[] = [
    ['temporary, first attempt', {}, DEFERRED],
    ['temporary, last but one', { attempt: 2 }, DEFERRED],
    ['temporary, the last one', { attempt: 3 }, undelivered('attempts_exhausted')],
    ['temporary, beyond the last one', { attempt: 4 }, undelivered('attempts_exhausted')],
    ['the next attempt just fits', { leftMs: DELAY + 1 }, DEFERRED],
    ['the lifetime ends with the wait', { leftMs: DELAY }, undelivered('lifetime')],
    ['the lifetime is over', { leftMs: 0 }, undelivered('lifetime')],
    ['both used up', { attempt: 3, leftMs: 0 }, undelivered('attempts_exhausted')],
    ['permanent and hard', { permanent: true, bounceClass: 'hard' }, { kind: 'failed', type: 'hard_bounce' }],
    ['permanent and soft', { permanent: true, bounceClass: 'soft' }, undelivered('refused')],
    ['permanent and block', { permanent: true, bounceClass: 'block' }, undelivered('refused')],
    ['permanent and other', { permanent: true, bounceClass: 'other' }, undelivered('refused')],
    ['temporary, though classed hard', { bounceClass: 'hard' }, DEFERRED],
    ['no connection', { scope: 'host', cause: 'connect' }, DEFERRED],
    ['lost in the session', { scope: 'session', cause: 'disconnect' }, DEFERRED],
    ['no DKIM key', { scope: 'message', cause: 'dkim', permanent: true }, undelivered('refused')],
    ['a bug', { cause: 'internal' }, { kind: 'released', wakeAt: NOW + 60_000 }],
    [
      'our address is gone',
      { scope: 'node', cause: 'node_down' },
      { kind: 'released', wakeAt: NOW + 60_000 },
    ],
  ];
  for (const [what, facts, wanted] of table) {
    test(what, () => assert.deepEqual(endingOf({ ...USUAL, ...facts }), wanted));
  }

  test('our own fault never bounces and never counts, whatever else is true', () => {
    fc.assert(
      fc.property(factsOf, fc.constantFrom(...OURS), (facts, cause) =>
        assert.equal(endingOf({ ...facts, cause }).kind, 'released'),
      ),
    );
  });

  test('only a permanent refusal classed hard gives hard_bounce', () => {
    fc.assert(
      fc.property(factsOf, (facts) => {
        const decision = endingOf(facts);
        const hard = decision.kind === 'failed' && decision.type === 'hard_bounce';
        const ours = facts.cause !== undefined && OURS.includes(facts.cause);
        assert.equal(hard, !ours && facts.permanent && facts.bounceClass === 'hard');
      }),
      { numRuns: 1000 },
    );
  });

  test('scope and cause do not decide the end, and a deferral lies ahead and within the lifetime', () => {
    fc.assert(
      fc.property(factsOf, fc.constantFrom(...SCOPES), (facts, scope) => {
        const decision = endingOf(facts);
        assert.deepEqual(endingOf({ ...facts, scope }), decision);
        if (decision.kind !== 'deferred') return;
        assert.ok(decision.nextAttemptAt > NOW && decision.nextAttemptAt < NOW + facts.leftMs);
        assert.ok(facts.attempt < 3 && !facts.permanent);
      }),
      { numRuns: 1000 },
    );
  });

  describe('by a rule', () => {
    const soon = rule({ name: 'soon', attempts: 5, intervalMs: 10 });
    const lock = lockRule();
    const SOON: Ending = { kind: 'deferred', nextAttemptAt: NOW + 10, retry: soon };
    const hard = { permanent: true, bounceClass: 'hard' } as const;
    const byRule: readonly (readonly [
      string,
      Partial<RuleConfig['then']>,
      Partial<Facts>,
      Ending,
      string,
    ])[] = [
      ['nothing asked, temporary', {}, {}, DEFERRED, ''],
      ['nothing asked, hard', {}, hard, { kind: 'failed', type: 'hard_bounce' }, ''],
      ['retry', { retry: soon }, {}, SOON, ''],
      ['retry has its own attempts', { retry: soon }, { attempt: 4 }, SOON, ''],
      ['retry used up', { retry: soon }, { attempt: 5 }, undelivered('attempts_exhausted'), ''],
      ['retry beyond the lifetime', { retry: soon }, { leftMs: 10 }, undelivered('lifetime'), ''],
      ['retry after a permanent refusal', { retry: soon }, hard, SOON, ''],
      ['fail, temporary', { fail: true }, {}, undelivered('policy'), ''],
      ['fail, permanent', { fail: true }, { permanent: true }, undelivered('refused'), ''],
      ['fail, hard', { fail: true }, hard, { kind: 'failed', type: 'hard_bounce' }, ''],
      ['lock', { lock }, {}, DEFERRED, 'lock'],
      ['slow_down', { slowDown: 30 }, {}, DEFERRED, 'slow_down'],
      ['alert, at the end too', { alert: true }, { attempt: 3 }, undelivered('attempts_exhausted'), 'alert'],
      ['stop_list, temporary', { stopList: true }, {}, DEFERRED, ''],
      ['stop_list, used up', { stopList: true }, { attempt: 3 }, undelivered('attempts_exhausted'), ''],
      ['stop_list, hard', { stopList: true }, hard, { kind: 'failed', type: 'hard_bounce' }, 'stop_list'],
      ['stop_list, fail, temporary', { stopList: true, fail: true }, {}, undelivered('policy'), ''],
      ['all at once', { retry: soon, lock, slowDown: 5, alert: true }, {}, SOON, 'lock slow_down alert'],
      [
        'all at once for good',
        { lock, slowDown: 5, stopList: true, alert: true },
        hard,
        { kind: 'failed', type: 'hard_bounce' },
        'lock slow_down stop_list alert',
      ],
    ];
    for (const [what, then, facts, ending, effects] of byRule) {
      test(what, () => {
        const decision = decided({ ...USUAL, ...facts }, { rules: [ruleOf({ name: 'r', then })] });
        assert.deepEqual(decision.ending, ending);
        assert.equal(decision.effects.map(({ kind }) => kind).join(' '), effects);
        assert.equal(decision.rule, 'r');
      });
    }

    test('our own fault asks no rule', () => {
      const rules = [ruleOf({ then: { fail: true, lock, alert: true } })];
      const { ending, effects, rule: name } = decided({ ...USUAL, cause: 'internal' }, { rules });
      assert.deepEqual([ending.kind, effects, name], ['released', [], undefined]);
    });

    test('a shipped rule keeps the retry rule that the sender names; one of the configuration does not', () => {
      const of = (shipped: boolean): Ending =>
        decided(USUAL, { rules: [ruleOf({ then: { retry: soon }, shipped })], own: true }).ending;
      assert.deepEqual([of(true), of(false)], [DEFERRED, SOON]);
    });
  });
});
