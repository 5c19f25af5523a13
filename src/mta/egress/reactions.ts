/**
 * From a refusal to the outcome of its delivery, and to what else follows: the rules are asked once, the event carries
 * the rule's name, and the effects are carried out here.
 */
import type { LockRuleConfig } from '../../config/index.ts';
import { formatReply, type Refusal } from '../../core/index.ts';
import type { AttemptFacts, LeasedDelivery, Outcome, StopEntry } from '../../queue/index.ts';
import type { EgressContext, Sender } from './context.ts';
import { decide, type Decision, type Effect } from './decide.ts';
import type { Lane } from './lane.ts';
import type { NodeChoice } from './node-choice.ts';
import { RuleBook } from './rules.ts';

export interface Refused {
  readonly delivery: LeasedDelivery;
  readonly refusal: Refusal;
  readonly facts: AttemptFacts;
  /** Undefined when the refusal came before it was known where the mail goes. */
  readonly lane: Lane | undefined;
  /** It concerns all recipients of a transaction, so it says nothing about the mailbox of any. */
  readonly common?: boolean;
  /** False: the same reply was counted for another recipient of the transaction. */
  readonly counts?: boolean;
}

/** The same alert is not repeated sooner. */
const ALERT_AGAIN_MS = 10 * 60_000;
const MAX_ALERTS = 1_000;

export class Reactions {
  readonly #context: EgressContext;
  readonly #choice: NodeChoice;
  #rules: RuleBook;
  /** When an alert was last written (monotonic ms), by rule, node and ISP. */
  readonly #alerts = new Map<string, number>();

  constructor(context: EgressContext, choice: NodeChoice) {
    this.#context = context;
    this.#choice = choice;
    this.#rules = new RuleBook(context.settings.config.rules);
  }

  /** The settings are others now. */
  configure(): void {
    this.#rules = new RuleBook(this.#context.settings.config.rules);
  }

  /** Decides, carries out the effects and says what is to be recorded. */
  to(given: Refused): Outcome {
    const refused = given.common ? { ...given, facts: ofNobody(given.facts) } : given;
    const { delivery, facts } = refused;
    const sender = this.#context.settings.senders.get(delivery.record.sender);
    const { ending, rule, effects } = this.#decide(refused, sender);
    if (refused.counts ?? true) for (const effect of effects) this.#carryOut(effect, refused, rule!);
    if (ending.kind === 'released') return ending;
    const named = rule === undefined ? facts : { ...facts, bounce: { ...facts.bounce!, rule } };
    if (ending.kind === 'failed') {
      const stops = mayStop(refused) && effects.some((effect) => effect.kind === 'stop_list');
      return { ...ending, facts: named, attempted: true, ...(stops && { stop: stopEntry(delivery, named) }) };
    }
    const { kind, nextAttemptAt, retry } = ending;
    const { sender: name, node } = delivery.record;
    const other = this.#choice.forRetry(retry.mode, { sender: name, node, lane: refused.lane?.key });
    return { kind, nextAttemptAt, facts: named, ...(other !== undefined && { node: other }) };
  }

  #decide({ delivery, refusal, facts, lane }: Refused, sender: Sender | undefined): Decision {
    const { settings, clock, random, queue } = this.#context;
    const { record } = delivery;
    const now = clock.now();
    return decide({
      refusal,
      bounce: facts.bounce!,
      isp: lane?.isp ?? facts.isp ?? 'unresolved',
      sender: record.sender,
      attempt: record.attempts.length + 1,
      rules: this.#rules,
      retry: sender?.config.retry ?? settings.config.retryRules[0]!,
      retryIsOwn: sender?.config.retryIsOwn ?? false,
      now,
      // A clock that has just been set forward is not believed yet.
      expiresAt: record.expiresAt + now - queue.lifetimeNow(),
      random,
    });
  }

  #carryOut(effect: Effect, refused: Refused, rule: string): void {
    switch (effect.kind) {
      case 'lock':
        this.#lock(effect.rule, refused, rule);
        break;
      case 'alert':
        this.#alert(refused, rule);
        break;
      case 'slow_down':
        this.#slowDown(effect.percent, refused, rule);
        break;
      default:
    }
  }

  #slowDown(percent: number, { lane, refusal, facts }: Refused, rule: string): void {
    lane?.slowDown(percent, `rule ${rule}: ${said(refusal)}`.slice(0, 300), facts.bounce?.category);
  }

  /** A refusal before it was known where the mail goes locks nothing. */
  #lock(lock: LockRuleConfig, { delivery, facts, lane, refusal }: Refused, cause: string): void {
    if (!lane) return;
    const { node, sender } = delivery.record;
    const place = { node, sender, lane: lane.key, isp: lane.isp };
    this.#context.locks.refused(lock, place, { facts, cause, text: said(refusal) });
  }

  #alert({ delivery, facts, lane, refusal }: Refused, rule: string): void {
    const { node, sender } = delivery.record;
    const isp = lane?.isp ?? facts.isp;
    const key = `${rule}\0${node}\0${lane?.key ?? isp}`;
    const { clock, queue, report } = this.#context;
    const now = clock.mono();
    if (now - (this.#alerts.get(key) ?? -Infinity) < ALERT_AGAIN_MS) return;
    if (this.#alerts.size >= MAX_ALERTS) this.#alerts.delete(this.#alerts.keys().next().value!);
    this.#alerts.set(key, now);
    const reason = `rule ${rule}: ${said(refusal)}`.slice(0, 500);
    report('warn', 'a rule gives an alert', { rule, node, isp });
    const { time, reply, bounce } = facts;
    const about = { node, sender, ...(isp !== undefined && { isp }), ...(reply && { reply }) };
    const bounced = bounce && { bounce: { ...bounce, rule } };
    void queue.announce({ type: 'alert', time, reason, ...about, ...bounced }).catch(() => undefined);
  }
}

/** The receiver's words, or what happened instead of them. */
const said = ({ reply, text }: Refusal): string => (reply ? formatReply(reply) : text);

/** Which of several mailboxes does not exist was not said: the mail is refused, and nobody is dead. */
const ofNobody = (facts: AttemptFacts): AttemptFacts =>
  facts.bounce?.class === 'hard' ? { ...facts, bounce: { ...facts.bounce, class: 'other' } } : facts;

/** Not by what was said of several mailboxes at once, nor by mail to ourselves. */
const mayStop = ({ common, delivery: { message } }: Refused): boolean => !common && !message.toOurselves;

/** A dead address is dead for everybody, so the entry is for the whole platform; it is stored with the outcome. */
const stopEntry = ({ record }: LeasedDelivery, { time, reply }: AttemptFacts): StopEntry => ({
  kind: 'address',
  value: record.recipient.toLowerCase(),
  source: 'hard_bounce',
  reason: reply?.text.slice(0, 200),
  at: time,
});
