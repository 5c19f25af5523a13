/**
 * Plans for domains: looks up MX, then A and AAAA of the hosts at once, and keeps the plan as long as the DNS
 * allows. Refusals are not kept here: the resolver remembers the answers behind them, so asking again is cheap.
 */
import { err, type Clock, type Result } from '../../core/index.ts';
import type { Resolver } from './answer.ts';
import { addressRule, type AddressRule } from './address-rules.ts';
import { ExpiringCache } from './cache.ts';
import { assemblePlan, candidatesOf, type DnsRefusal, type HostAnswers, type MxPlan } from './mx-plan.ts';

export interface MxPlannerOptions {
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** Addresses on which this host receives mail; read once, make a new planner when they change. */
  readonly selfAddresses: ReadonlySet<string>;
  /** Accept MX on 127.0.0.0/8 and ::1: tests and demo networks only. */
  readonly allowLoopback?: boolean;
  readonly maxPlans?: number;
  readonly random?: () => number;
}

export interface MxPlanner {
  /** `domain` is a lower-case A-label domain. Never rejects; one lookup at a time per domain. */
  plan(domain: string): Promise<Result<MxPlan, DnsRefusal>>;
  /** The plan when a fresh one is known: no I/O. */
  peek(domain: string): MxPlan | undefined;
}

export function createMxPlanner(options: MxPlannerOptions): MxPlanner {
  return new CachingMxPlanner(options);
}

class CachingMxPlanner implements MxPlanner {
  readonly #resolver: Resolver;
  readonly #clock: Clock;
  readonly #addressRule: AddressRule;
  readonly #random: () => number;
  readonly #plans: ExpiringCache<MxPlan>;
  readonly #flights = new Map<string, Promise<Result<MxPlan, DnsRefusal>>>();

  constructor(options: MxPlannerOptions) {
    this.#resolver = options.resolver;
    this.#clock = options.clock;
    this.#addressRule = addressRule(options.selfAddresses, options.allowLoopback ?? false);
    this.#random = options.random ?? Math.random;
    this.#plans = new ExpiringCache(options.maxPlans ?? 50_000);
  }

  peek(domain: string): MxPlan | undefined {
    return this.#plans.get(domain, this.#clock.mono())?.value;
  }

  async plan(domain: string): Promise<Result<MxPlan, DnsRefusal>> {
    const known = this.peek(domain);
    if (known) return { ok: true, value: known };
    let flight = this.#flights.get(domain);
    if (!flight) {
      flight = this.#make(domain);
      this.#flights.set(domain, flight);
    }
    return flight;
  }

  async #make(domain: string): Promise<Result<MxPlan, DnsRefusal>> {
    try {
      const candidates = candidatesOf(domain, await this.#resolver.query(domain, 'MX'));
      if (!candidates.ok) return err(candidates.error);
      const found = await Promise.all(candidates.value.hosts.map((host) => this.#addresses(host)));
      const plan = assemblePlan(domain, candidates.value, found, {
        addressRule: this.#addressRule,
        nowMs: this.#clock.mono(),
        random: this.#random,
      });
      if (plan.ok) this.#plans.set(domain, plan.value, plan.value.expiresAtMs);
      return plan;
    } finally {
      this.#flights.delete(domain);
    }
  }

  /** INTEROP(many): an MX must not name a CNAME (RFC 5321 §5.1), yet it works everywhere; the resolver follows it. */
  async #addresses(host: HostAnswers['host']): Promise<HostAnswers> {
    const answers = await Promise.all([
      this.#resolver.query(host.name, 'A'),
      this.#resolver.query(host.name, 'AAAA'),
    ]);
    return { host, answers };
  }
}
