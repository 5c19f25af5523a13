/**
 * What sends in the simulation: the real lane (limiter, adaptive speed, session limit, warm-up), classification, rules,
 * `decide` and locks, without sockets, timers and store. Three ways to react to a receiver, which retry alike:
 *
 * - `fixed`: the strategy's speed, whatever is said;
 * - `backoff`: as PowerMTA has it: a reply of trouble switches to a tenth of the speed for an hour, then back;
 * - `adaptive`: Postrider's `adaptive: true` with its defaults, and what the shipped rules ask for.
 */
import { Classifier } from '../../src/bounce/index.ts';
import type { Config, RetryRuleConfig, StrategyConfig, WarmupPlanConfig } from '../../src/config/index.ts';
import type { Bounce, Refusal, Reply } from '../../src/core/index.ts';
import { decide, type Effect, type Ending } from '../../src/mta/egress/decide.ts';
import { Lane } from '../../src/mta/egress/lane.ts';
import { mayProbe } from '../../src/mta/egress/lock.ts';
import { Locks } from '../../src/mta/egress/locks.ts';
import { RuleBook } from '../../src/mta/egress/rules.ts';
import type { Queue } from '../../src/queue/index.ts';
import { HOUR, type VirtualClock } from './clock.ts';

export const REACTIONS = ['fixed', 'backoff', 'adaptive'] as const;
export type Reaction = (typeof REACTIONS)[number];

const BACKOFF_SHARE = 0.1;
const BACKOFF_MS = HOUR;
const CLASSIFIER = new Classifier();
const LANE = 'isp:x';
const TROUBLE = new Set(['rate_limited', 'connection_limit', 'ip_blocked']);

/** How the mail is sent, but for the reaction. */
export interface Sending {
  readonly strategy: StrategyConfig;
  /** The shipped rules. */
  readonly rules: Config['rules'];
  readonly retry: RetryRuleConfig;
  /** A plan for a new address; only Postrider keeps to it. */
  readonly warmup: WarmupPlanConfig | null;
}

/** A delivery as far as `decide` looks at it; times in ms since the start. */
export interface SimulatedMail {
  readonly number: number;
  readonly attempts: number;
  readonly expiresAt: number;
}

export class SimulatedNode {
  readonly lane: Lane;
  readonly #name: string;
  readonly #locks: Locks;
  readonly #rules: RuleBook;
  readonly #retry: RetryRuleConfig;
  readonly #clock: VirtualClock;
  readonly #strategy: StrategyConfig;
  readonly #reaction: Reaction;
  #backoffUntil = 0;
  #slow = false;

  constructor(clock: VirtualClock, name: string, reaction: Reaction, sending: Sending) {
    const { strategy, warmup } = sending;
    const { adaptive } = strategy;
    this.#name = name;
    this.#rules = new RuleBook(sending.rules);
    this.#retry = sending.retry;
    this.#locks = new Locks({
      queue: NO_STORE,
      clock,
      report: () => undefined,
      onChange: () => (this.lane.locks = this.#locks.of(name, LANE)),
    });
    this.#clock = clock;
    this.#reaction = reaction;
    this.#strategy = { ...strategy, adaptive: { ...adaptive, enabled: reaction === 'adaptive' } };
    this.lane = new Lane({
      key: LANE,
      isp: 'x',
      strategy: this.#strategy,
      timezone: 'UTC',
      clock,
      mark: undefined,
      warmup: reaction === 'adaptive' ? warmup : null,
      onToken: () => undefined,
    });
  }

  /** To be called before each look at the lane: a backoff or a lock ends by itself. */
  turn(): void {
    if (this.lane.locks.length > 0) this.#locks.look();
    if (!this.#slow || this.#clock.at < this.#backoffUntil) return;
    this.#slow = false;
    this.lane.configure(this.#strategy, 'UTC');
  }

  /** ms until something may go out; 0: now, Infinity: when the delivery that goes first has its answer. */
  get waitMs(): number {
    const { locks } = this.lane;
    const now = this.#clock.now();
    if (locks.length === 0 || mayProbe(locks, now)) return this.lane.waitMs();
    const ends = locks.map(({ record }) => record.until! - now);
    return ends.some((ms) => ms > 0) ? Math.max(...ends) : Infinity;
  }

  /** The delivery goes out. */
  begin({ number }: SimulatedMail): void {
    this.lane.take();
    for (const lock of this.lane.locks) lock.probe = String(number);
  }

  accepted({ number }: SimulatedMail): void {
    this.lane.accepted();
    this.#locks.settle(this.lane.locks, String(number), 'delivered');
  }

  /** What becomes of the delivery; times as the virtual clock has them. */
  refused(reply: Reply, mail: SimulatedMail): Ending {
    const refusal = refusalOf(reply);
    const bounce = CLASSIFIER.classify(refusal, undefined);
    const text = `${reply.code} ${reply.text}`;
    this.lane.refused(bounce, text);
    this.#locks.settle(this.lane.locks, String(mail.number), { ...refusal, scope: 'session' });
    const now = this.#clock.now();
    const { ending, effects } = decide({
      ...{ refusal, bounce, isp: 'x', sender: 'sim', attempt: mail.attempts },
      ...{ rules: this.#rules, retry: this.#retry, retryIsOwn: false },
      ...{ now, expiresAt: now - this.#clock.at + mail.expiresAt, random: () => 0.5 },
    });
    if (this.#reaction === 'adaptive') for (const effect of effects) this.#carryOut(effect, bounce, text);
    if (this.#reaction === 'backoff' && TROUBLE.has(bounce.category)) this.#backOff();
    return ending;
  }

  stop(): void {
    this.#locks.stop();
  }

  /** As reactions.ts does. */
  #carryOut(effect: Effect, { category }: Bounce, text: string): void {
    if (effect.kind === 'slow_down') this.lane.slowDown(effect.percent, text, category);
    if (effect.kind !== 'lock') return;
    const place = { node: this.#name, sender: 'sim', lane: LANE, isp: 'x' };
    this.#locks.refused(effect.rule, place, { facts: { time: this.#clock.now() }, cause: 'sim', text });
  }

  #backOff(): void {
    this.#backoffUntil = this.#clock.at + BACKOFF_MS;
    if (this.#slow) return;
    this.#slow = true;
    const { ratePerInterval: rate, concurrentConnections } = this.#strategy;
    this.lane.configure(
      {
        ...this.#strategy,
        ratePerInterval: rate && {
          count: Math.max(1, Math.floor(rate.count * BACKOFF_SHARE)),
          perMs: rate.perMs,
        },
        concurrentConnections: Math.max(1, Math.floor(concurrentConnections * BACKOFF_SHARE)),
      },
      'UTC',
    );
  }
}

const NO_STORE = { controls: () => [], control: () => Promise.resolve() } as unknown as Queue;

function refusalOf(reply: Reply): Refusal {
  return {
    scope: 'recipient',
    permanent: reply.code >= 500,
    phase: 'rcpt',
    reply,
    text: reply.text,
    cause: undefined,
  };
}
