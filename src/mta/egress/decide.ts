/**
 * What a refusal leads to. All policy of failures is here, in this order:
 *
 * 1. Our own fault (a bug, a node without its address): not an attempt, the delivery waits and comes again; no rule is
 *    asked.
 * 2. The first rule that matches (rules.ts) may end the delivery (`fail`) or try again (`retry`), and asks for effects:
 *    a lock, less speed, an entry in the stop list, an alert. A shipped rule does not overrule the retry rule that a
 *    sender names itself.
 * 3. Otherwise the codes decide. The peer refused for good (5xx, no such domain): the end; `hard_bounce` when the
 *    address is dead, else `undelivered` with reason `refused`. Everything else is temporary, also what nobody
 *    understands: the retry rule says when, until its attempts are used up (`attempts_exhausted`) or the wait would
 *    outlast the lifetime (`lifetime`).
 *
 * Which deliveries a refusal touches follows from its scope and is the dispatcher's part: `recipient` and `message`
 * this delivery; `session` this delivery, and the connection ends; `host` this delivery, and the destination rests;
 * `node` none, the node is down.
 */
import type { LockRuleConfig, RuleConfig } from '../../config/index.ts';
import type { UndeliveredReason } from '../../core/index.ts';
import { retryAt, type RetryRule, retryDelayMs } from './retry.ts';
import type { RuleBook, RuleFacts } from './rules.ts';

export type Ending =
  | { readonly kind: 'deferred'; readonly nextAttemptAt: number; readonly retry: RetryRule }
  | {
      readonly kind: 'failed';
      readonly type: 'hard_bounce' | 'undelivered';
      readonly reason?: UndeliveredReason;
    }
  | { readonly kind: 'released'; readonly wakeAt: number };

/** What else follows from a refusal, beyond this delivery. */
export type Effect =
  | { readonly kind: 'lock'; readonly rule: LockRuleConfig }
  | { readonly kind: 'slow_down'; readonly percent: number }
  | { readonly kind: 'stop_list' }
  | { readonly kind: 'alert' };

export interface Decision {
  readonly ending: Ending;
  /** Name of the rule that matched. */
  readonly rule: string | undefined;
  readonly effects: readonly Effect[];
}

export interface DecideInput extends RuleFacts {
  /** Attempts made, this one included. */
  readonly attempt: number;
  readonly rules: RuleBook;
  /** The sender's retry rule, and whether its configuration names it. */
  readonly retry: RetryRule;
  readonly retryIsOwn: boolean;
  readonly now: number;
  readonly expiresAt: number;
  readonly random: () => number;
}

/** How long a delivery rests after a failure of our own. */
const OWN_FAULT_MS = 60_000;

export function decide(input: DecideInput): Decision {
  const { refusal, now } = input;
  if (refusal.cause === 'internal' || refusal.cause === 'node_down')
    return { ending: { kind: 'released', wakeAt: now + OWN_FAULT_MS }, rule: undefined, effects: [] };
  const rule = input.rules.find(input);
  const ending = endingOf(input, rule);
  return { ending, rule: rule?.name, effects: rule ? effectsOf(rule, ending, refusal.permanent) : [] };
}

function endingOf(input: DecideInput, rule: RuleConfig | undefined): Ending {
  const { refusal, bounce } = input;
  const retry = rule?.then.retry ?? undefined;
  if (rule?.then.fail && !refusal.permanent) return undelivered('policy');
  if (refusal.permanent && retry === undefined)
    return bounce.class === 'hard' ? { kind: 'failed', type: 'hard_bounce' } : undelivered('refused');
  const overruled = rule?.shipped === true && input.retryIsOwn;
  return deferral(input, retry === undefined || overruled ? input.retry : retry);
}

function deferral({ attempt, random, now, expiresAt }: DecideInput, retry: RetryRule): Ending {
  const delay = retryDelayMs(retry, attempt, random);
  if (delay === undefined) return undelivered('attempts_exhausted');
  const nextAttemptAt = retryAt(now, delay);
  if (nextAttemptAt >= expiresAt) return undelivered('lifetime');
  return { kind: 'deferred', nextAttemptAt, retry };
}

/** An address goes to the stop list only when its delivery ended by a permanent refusal. */
function effectsOf({ then }: RuleConfig, ending: Ending, permanent: boolean): Effect[] {
  const effects: Effect[] = [];
  if (then.lock) effects.push({ kind: 'lock', rule: then.lock });
  if (then.slowDown !== null) effects.push({ kind: 'slow_down', percent: then.slowDown });
  if (then.stopList && permanent && ending.kind === 'failed') effects.push({ kind: 'stop_list' });
  if (then.alert) effects.push({ kind: 'alert' });
  return effects;
}

const undelivered = (reason: UndeliveredReason): Ending => ({ kind: 'failed', type: 'undelivered', reason });
