/**
 * Where the mail of a domain goes: a configured route (smart host) or its MX hosts. Routes are looked at first, the
 * first match wins. Domains with the same key are served by the same hosts, so they share sessions and limits.
 */
import { isIP } from 'node:net';
import { domainMatches, type RouteConfig, type TlsMode } from '../../config/index.ts';
import { type Clock, err, ok, type Refusal, type Result } from '../../core/index.ts';
import type { DnsRefusal, MxPlanner, Resolver } from '../dns/index.ts';

export interface TargetHost {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly port: number;
}

export interface RoutePlan {
  readonly key: string;
  /** Null: no route decides; the sender does, then the strategy. */
  readonly tls: TlsMode | null;
  readonly hostNames: readonly string[];
  /** In the order to be tried; equal preferences change places from call to call. */
  hosts(): readonly TargetHost[];
  /** On the monotonic clock; Infinity for hosts given by address. */
  readonly expiresAtMs: number;
}

export interface RoutePlannerOptions {
  readonly mx: MxPlanner;
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly routes: readonly RouteConfig[];
  /** Port of hosts found by MX. */
  readonly port: number;
}

export class RoutePlanner {
  readonly #options: RoutePlannerOptions;
  readonly #routes = new Map<RouteConfig, RoutePlan>();

  constructor(options: RoutePlannerOptions) {
    this.#options = options;
  }

  /** The plan, if it is known and fresh. */
  peek(domain: string): RoutePlan | undefined {
    const route = this.#routeOf(domain);
    if (!route) {
      const plan = this.#options.mx.peek(domain);
      return plan && this.#mxPlan(plan);
    }
    const plan = this.#routes.get(route);
    return plan && plan.expiresAtMs > this.#options.clock.mono() ? plan : undefined;
  }

  async resolve(domain: string): Promise<Result<RoutePlan, Refusal>> {
    const route = this.#routeOf(domain);
    if (route) return this.#resolveRoute(route);
    const plan = await this.#options.mx.plan(domain);
    return plan.ok ? ok(this.#mxPlan(plan.value)) : err(dnsRefusal(plan.error));
  }

  #routeOf(domain: string): RouteConfig | undefined {
    return this.#options.routes.find((route) => domainMatches(route.domain, domain));
  }

  #mxPlan(plan: NonNullable<ReturnType<MxPlanner['peek']>>): RoutePlan {
    return {
      key: plan.key,
      tls: null,
      hostNames: plan.hosts.map((host) => host.name),
      hosts: () =>
        plan.ordered().map(({ name, addresses }) => ({ name, addresses, port: this.#options.port })),
      expiresAtMs: plan.expiresAtMs,
    };
  }

  async #resolveRoute(route: RouteConfig): Promise<Result<RoutePlan, Refusal>> {
    const hosts: TargetHost[] = [];
    let expiresAtMs = Infinity;
    for (const { host, port } of route.hosts) {
      if (isIP(host)) {
        hosts.push({ name: host, addresses: [host], port });
        continue;
      }
      const found = await this.#addresses(host);
      if (found.addresses.length > 0) hosts.push({ name: host, addresses: found.addresses, port });
      expiresAtMs = Math.min(expiresAtMs, this.#options.clock.mono() + found.ttlMs);
    }
    if (hosts.length === 0) {
      const text = `no host of the route for ${route.domain} has an address (${route.hosts.map((h) => h.host).join(', ')})`;
      return err(dnsRefusal({ permanent: false, enhanced: '4.4.3', text, category: 'dns' }));
    }
    const key = `route:${route.hosts.map(({ host, port }) => `${host}:${port}`).join(',')}`;
    const plan = {
      key,
      tls: route.tls,
      hostNames: hosts.map((host) => host.name),
      hosts: () => hosts,
      expiresAtMs,
    };
    this.#routes.set(route, plan);
    return ok(plan);
  }

  async #addresses(host: string): Promise<{ addresses: string[]; ttlMs: number }> {
    const addresses: string[] = [];
    let ttlMs = 60_000;
    for (const type of ['A', 'AAAA'] as const) {
      const answer = await this.#options.resolver.query(host, type);
      if (answer.kind !== 'records') continue;
      addresses.push(...answer.records);
      ttlMs = Math.min(ttlMs, answer.ttlMs);
    }
    return { addresses, ttlMs };
  }
}

function dnsRefusal({ permanent, enhanced, text }: DnsRefusal): Refusal {
  const reply = { code: permanent ? 550 : 450, enhanced, text };
  return { scope: 'host', permanent, phase: 'connect', reply, cause: 'dns', text };
}
