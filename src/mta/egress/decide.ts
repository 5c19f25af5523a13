/**
 * What a refusal leads to, by scope and permanence. All policy of failures is here, in this order:
 *
 * 1. Our own fault (a bug, a node without its address): not an attempt, the delivery waits and comes again.
 * 2. The peer took or refused for good (5xx, no such domain): the end. `hard_bounce` when the address is dead,
 *    otherwise `undelivered` with reason `refused`.
 * 3. Everything else is temporary, also what nobody understands: the retry rule says when, until its attempts are
 *    used up (`attempts_exhausted`) or the wait would outlast the lifetime (`lifetime`).
 *
 * Which deliveries a refusal touches follows from its scope and is the dispatcher's part: `recipient` and `message`
 * this delivery; `session` this delivery, and the connection ends; `host` this delivery, and the destination rests;
 * `node` none, the node is down.
 */
import type { Bounce, Refusal, UndeliveredReason } from '../../core/index.ts';
import { type RetryRule, retryDelayMs } from './retry.ts';

export type Decision =
  | { readonly kind: 'deferred'; readonly nextAttemptAt: number }
  | {
      readonly kind: 'failed';
      readonly type: 'hard_bounce' | 'undelivered';
      readonly reason?: UndeliveredReason;
    }
  | { readonly kind: 'released'; readonly wakeAt: number };

export interface DecideInput {
  readonly refusal: Refusal;
  readonly bounce: Bounce;
  /** Attempts made, this one included. */
  readonly attempt: number;
  readonly rule: RetryRule;
  readonly now: number;
  readonly expiresAt: number;
  readonly random: () => number;
}

/** How long a delivery rests after a failure of our own. */
const OWN_FAULT_MS = 60_000;

export function decide(input: DecideInput): Decision {
  const { refusal, bounce, now, expiresAt } = input;
  if (refusal.cause === 'internal' || refusal.cause === 'node_down')
    return { kind: 'released', wakeAt: now + OWN_FAULT_MS };
  if (refusal.permanent) {
    return bounce.class === 'hard'
      ? { kind: 'failed', type: 'hard_bounce' }
      : { kind: 'failed', type: 'undelivered', reason: 'refused' };
  }
  const delay = retryDelayMs(input.rule, input.attempt, input.random);
  if (delay === undefined) return { kind: 'failed', type: 'undelivered', reason: 'attempts_exhausted' };
  if (now + delay >= expiresAt) return { kind: 'failed', type: 'undelivered', reason: 'lifetime' };
  return { kind: 'deferred', nextAttemptAt: now + delay };
}
