/**
 * From labels to a sender and a node, at acceptance and without any look-up: a virtual sender's rule picks the sender
 * by percentage, the sender's weights pick the node among those that are up. When none is up, the mail is accepted
 * all the same and waits on the node whose turn it is.
 */
import { createHash } from 'node:crypto';
import { closest } from 'fastest-levenshtein';
import type {
  Config,
  SenderConfig,
  VirtualSenderRuleConfig,
  VirtualSenderShareConfig,
} from '../config/index.ts';
import { err, ok, type Result } from '../core/index.ts';
import type { Turns } from '../queue/index.ts';
import { nextOf } from './split.ts';
import { matchingRule, type RoutingFacts } from './virtual-sender.ts';

export interface RouteRequest extends Omit<RoutingFacts, 'isp'> {
  readonly sender: string | undefined;
  readonly virtualSender: string | undefined;
  /** Names the caller may use; undefined means all. */
  readonly allowed: readonly string[] | undefined;
  /** For sticky rules. */
  readonly recipient?: string;
  /** A test send: such mail is split by itself, so it takes no turn from what is counted. */
  readonly test?: boolean;
}

type Named = Pick<RouteRequest, 'sender' | 'virtualSender' | 'allowed'>;

interface Target {
  readonly kind: 'sender' | 'virtual';
  readonly name: string;
}

export interface Routed {
  readonly sender: SenderConfig;
  readonly virtualSender: string | undefined;
  /** Position of the virtual sender's rule, from 1. */
  readonly rule: number | undefined;
  readonly node: string;
  readonly override:
    { readonly fromEmail?: string; readonly fromName?: string; readonly replyTo?: string } | undefined;
}

/** For people: who sends, and by which rule (from 1) of a virtual sender. */
export interface Preview {
  readonly virtualSender: string | undefined;
  readonly rule: number | undefined;
  readonly senders: readonly { readonly sender: SenderConfig; readonly percent: number }[];
}

export interface RoutingError {
  readonly field: 'sender' | 'virtual_sender';
  readonly text: string;
}

/** Whether none of a sender's mail may leave for an ISP now (undefined: a domain that no ISP names). */
type IsLocked = (sender: SenderConfig, isp: string | undefined) => boolean;

export class Router {
  readonly #config: Config;
  readonly #senders: ReadonlyMap<string, SenderConfig>;
  readonly #names: { readonly virtuals: readonly string[]; readonly senders: readonly string[] };
  readonly #isps = new Map<string, string>();
  /** What the nodes of a sender are owed. */
  readonly #nodesOwed = new Map<string, readonly number[]>();
  readonly #keys = new Map<VirtualSenderRuleConfig, RuleKey>();
  readonly #isUp: (node: string) => boolean;
  readonly #isLocked: IsLocked;

  constructor(config: Config, isUp: (node: string) => boolean, isLocked: IsLocked = () => false) {
    this.#config = config;
    this.#isUp = isUp;
    this.#isLocked = isLocked;
    for (const { name, rules } of config.virtualSenders)
      for (const rule of rules) this.#keys.set(rule, ruleKey(name, rule));
    this.#senders = new Map(config.senders.map((sender) => [sender.name, sender]));
    this.#names = {
      virtuals: config.virtualSenders.map(({ name }) => name),
      senders: [...this.#senders.keys()],
    };
    for (const { name, domains } of config.isps) for (const domain of domains) this.#isps.set(domain, name);
  }

  /** Whether mail with these names can be routed, and by which virtual sender. No split takes a turn. */
  check(names: Named): Result<{ readonly virtualSender: string | undefined }, RoutingError> {
    const named = this.#named(names);
    if (!named.ok) return named;
    const { kind, name } = named.value;
    return ok({ virtualSender: kind === 'virtual' ? name : undefined });
  }

  /** The rule is chosen now; the share, the sender and the node when the mail is sure to be taken (queue/turns.ts). */
  route(request: RouteRequest): Result<(turns: Turns) => Routed, RoutingError> {
    const named = this.#named(request);
    if (!named.ok) return named;
    const { kind, name } = named.value;
    if (kind === 'sender') return ok(() => this.#routed(name));
    const virtual = this.#config.virtualSenders.find((one) => one.name === name)!;
    const isp = this.#isps.get(request.toDomain);
    const rule = matchingRule(virtual, { ...request, isp });
    const position = virtual.rules.indexOf(rule) + 1;
    return ok((turns) => {
      const share = this.#share(rule, isp, { ...request, turns });
      return this.#routed(share.sender, { virtual: name, rule: position, share });
    });
  }

  /** Who would send such a message. No split takes a turn. */
  preview(request: RouteRequest): Result<Preview, RoutingError> {
    const named = this.#named(request);
    if (!named.ok) return named;
    const { kind, name } = named.value;
    const shareOf = (sender: string, percent: number) => ({ sender: this.#senders.get(sender)!, percent });
    if (kind === 'sender')
      return ok({ virtualSender: undefined, rule: undefined, senders: [shareOf(name, 100)] });
    const virtual = this.#config.virtualSenders.find((one) => one.name === name)!;
    const rule = matchingRule(virtual, { ...request, isp: this.#isps.get(request.toDomain) });
    const senders = rule.senders.map(({ sender, percent }) => shareOf(sender, percent));
    return ok({ virtualSender: name, rule: virtual.rules.indexOf(rule) + 1, senders });
  }

  /** The sender or virtual sender of the request; without one, the only one that the caller may use. */
  #named({ sender, virtualSender, allowed }: Named): Result<Target, RoutingError> {
    const { virtuals, senders } = this.#names;
    if (virtualSender !== undefined)
      return this.#check({ kind: 'virtual', name: virtualSender }, virtuals, allowed);
    if (sender !== undefined) return this.#check({ kind: 'sender', name: sender }, senders, allowed);
    const mayUse = (name: string): boolean => allowed?.includes(name) ?? true;
    const byVirtual = virtuals.some(mayUse) || (virtuals.length > 0 && !senders.some(mayUse));
    const candidates = (byVirtual ? virtuals : senders).filter(mayUse);
    if (candidates.length === 1) return ok({ kind: byVirtual ? 'virtual' : 'sender', name: candidates[0]! });
    const field = byVirtual ? 'virtual_sender' : 'sender';
    return err({
      field,
      text: `name a ${field}: there is ${candidates.length === 0 ? 'none that you may use' : candidates.join(', ')}`,
    });
  }

  #check(
    wanted: Target,
    known: readonly string[],
    allowed: readonly string[] | undefined,
  ): Result<Target, RoutingError> {
    const field = wanted.kind === 'sender' ? 'sender' : 'virtual_sender';
    // Said first: who may not use a name is not told whether it is there.
    if (allowed && !allowed.includes(wanted.name))
      return err({ field, text: `you may not use the ${field} "${wanted.name.slice(0, 80)}"` });
    if (!known.includes(wanted.name)) {
      const near = known.length > 0 ? `, did you mean "${closest(wanted.name, [...known])}"?` : '';
      return err({ field, text: `unknown ${field} "${wanted.name.slice(0, 80)}"${near}` });
    }
    return ok(wanted);
  }

  #routed(
    name: string,
    by?: { readonly virtual: string; readonly rule: number; readonly share: VirtualSenderShareConfig },
  ): Routed {
    const sender = this.#senders.get(name)!;
    const node = this.#node(sender);
    return { sender, virtualSender: by?.virtual, rule: by?.rule, node, override: by && overrideOf(by.share) };
  }

  #node({ name, nodes }: SenderConfig): string {
    if (nodes.length === 1) return nodes[0]!.node;
    const weights = nodes.map(({ weight }) => weight);
    const before = this.#nodesOwed.get(name);
    const next =
      nextOf(weights, before, (index) => this.#isUp(nodes[index]!.node)) ?? nextOf(weights, before)!;
    this.#nodesOwed.set(name, next.owed);
    return nodes[next.index]!.node;
  }

  #share(
    rule: VirtualSenderRuleConfig,
    isp: string | undefined,
    { recipient, test = false, turns }: Pick<RouteRequest, 'recipient' | 'test'> & { readonly turns: Turns },
  ): VirtualSenderShareConfig {
    const { key, weights } = this.#keys.get(rule)!;
    if (weights.length === 1) return rule.senders[0]!;
    const free = rule.fallback ? rule.senders.map(({ sender }) => this.#sends(sender, isp)) : [];
    if (!rule.sticky || recipient === undefined)
      return rule.senders[
        turns.take(
          test ? `${key}\0test` : key,
          (owed) => nextOf(weights, owed, (index) => free[index] ?? true) ?? nextOf(weights, owed)!,
        )
      ]!;
    const index = stickyIndex(key, weights, recipient);
    if (free[index] ?? true) return rule.senders[index]!;
    const others = weights.map((weight, i) => (free[i] ? weight : 0));
    return rule.senders[others.some((weight) => weight > 0) ? stickyIndex(key, others, recipient) : index]!;
  }

  #sends(name: string, isp: string | undefined): boolean {
    const sender = this.#senders.get(name)!;
    return sender.nodes.some(({ node }) => this.#isUp(node)) && !this.#isLocked(sender, isp);
  }
}

interface RuleKey {
  readonly key: string;
  readonly weights: readonly number[];
}

/** Equal for rules with the same conditions and shares, wherever they stand. */
function ruleKey(virtual: string, { when, senders }: VirtualSenderRuleConfig): RuleKey {
  const shares = senders.map(({ sender, percent }) => [sender, percent]);
  const digest = createHash('sha256')
    .update(JSON.stringify([when, shares]))
    .digest('base64url');
  return { key: `${virtual}\0${digest.slice(0, 22)}`, weights: senders.map(({ percent }) => percent) };
}

/** The share in whose part of the whole the digest of the recipient falls. */
function stickyIndex(key: string, weights: readonly number[], recipient: string): number {
  const digest = createHash('sha256').update(`${key}\0${recipient.toLowerCase()}`).digest();
  let point = (digest.readUInt32BE(0) / 2 ** 32) * weights.reduce((sum, weight) => sum + weight, 0);
  const index = weights.findIndex((weight) => (point -= weight) < 0);
  return index < 0 ? weights.length - 1 : index;
}

function overrideOf({ fromEmail, fromName, replyTo }: VirtualSenderShareConfig): Routed['override'] {
  if (fromEmail === null && fromName === null && replyTo === null) return undefined;
  return {
    ...(fromEmail !== null && { fromEmail }),
    ...(fromName !== null && { fromName }),
    ...(replyTo !== null && { replyTo }),
  };
}
