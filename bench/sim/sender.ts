/**
 * What sends in the simulation: the real lane (limiter, adaptive speed, session limit), classification and retry rule,
 * without sockets, timers and store. Three ways to react to a receiver:
 *
 * - `fixed`: the strategy's speed, whatever is said;
 * - `backoff`: as PowerMTA has it: a reply of trouble switches to a tenth of the speed for an hour, then back;
 * - `adaptive`: Postrider's `adaptive: true` with its defaults.
 */
import { Classifier } from '../../src/bounce/index.ts';
import type { StrategyConfig } from '../../src/config/index.ts';
import type { Refusal, Reply } from '../../src/core/index.ts';
import { Lane } from '../../src/mta/egress/lane.ts';
import { HOUR, type VirtualClock } from './clock.ts';

export const REACTIONS = ['fixed', 'backoff', 'adaptive'] as const;
export type Reaction = (typeof REACTIONS)[number];

const BACKOFF_SHARE = 0.1;
const BACKOFF_MS = HOUR;
const CLASSIFIER = new Classifier();
const TROUBLE = new Set(['rate_limited', 'connection_limit', 'ip_blocked']);

export class SimulatedNode {
  readonly lane: Lane;
  readonly #clock: VirtualClock;
  readonly #strategy: StrategyConfig;
  readonly #reaction: Reaction;
  #backoffUntil = 0;
  #slow = false;

  constructor(clock: VirtualClock, strategy: StrategyConfig, reaction: Reaction) {
    const { adaptive } = strategy;
    this.#clock = clock;
    this.#reaction = reaction;
    this.#strategy = { ...strategy, adaptive: { ...adaptive, enabled: reaction === 'adaptive' } };
    this.lane = new Lane({
      key: 'isp:x',
      isp: 'x',
      strategy: this.#strategy,
      timezone: 'UTC',
      clock,
      mark: undefined,
      onToken: () => undefined,
    });
  }

  /** To be called before each look at the lane: a backoff ends by itself. */
  turn(): void {
    if (!this.#slow || this.#clock.at < this.#backoffUntil) return;
    this.#slow = false;
    this.lane.configure(this.#strategy, 'UTC');
  }

  accepted(): void {
    this.lane.accepted();
  }

  refused(reply: Reply): void {
    const refusal = refusalOf(reply);
    const bounce = CLASSIFIER.classify(refusal, undefined);
    const { category } = bounce;
    this.lane.refused(bounce, `${reply.code} ${reply.text}`);
    if (this.#reaction === 'backoff' && TROUBLE.has(category)) this.#backOff();
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
