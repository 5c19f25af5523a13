import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { BounceClass, Refusal, RefusalCause, RefusalScope } from '../../../src/core/index.ts';
import { decide, type Decision } from '../../../src/mta/egress/decide.ts';
import { rule } from './retry-rule.ts';

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

function decided({ scope, permanent, cause, bounceClass, attempt, leftMs }: Facts): Decision {
  const refusal: Refusal = { scope, permanent, cause, phase: 'rcpt', reply: undefined, text: 'no' };
  return decide({
    refusal,
    bounce: { class: bounceClass, category: 'other' },
    attempt,
    rule: rule({ attempts: 3, intervalMs: DELAY }),
    now: NOW,
    expiresAt: NOW + leftMs,
    random: () => 0,
  });
}

const DEFERRED: Decision = { kind: 'deferred', nextAttemptAt: NOW + DELAY };
const undelivered = (reason: 'refused' | 'attempts_exhausted' | 'lifetime'): Decision => ({
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
  const table: readonly (readonly [string, Partial<Facts>, Decision])[] = [
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
    test(what, () => assert.deepEqual(decided({ ...USUAL, ...facts }), wanted));
  }

  test('our own fault never bounces and never counts, whatever else is true', () => {
    fc.assert(
      fc.property(factsOf, fc.constantFrom(...OURS), (facts, cause) =>
        assert.equal(decided({ ...facts, cause }).kind, 'released'),
      ),
    );
  });

  test('only a permanent refusal classed hard gives hard_bounce', () => {
    fc.assert(
      fc.property(factsOf, (facts) => {
        const decision = decided(facts);
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
        const decision = decided(facts);
        assert.deepEqual(decided({ ...facts, scope }), decision);
        if (decision.kind !== 'deferred') return;
        assert.ok(decision.nextAttemptAt > NOW && decision.nextAttemptAt < NOW + facts.leftMs);
        assert.ok(facts.attempt < 3 && !facts.permanent);
      }),
      { numRuns: 1000 },
    );
  });
});
