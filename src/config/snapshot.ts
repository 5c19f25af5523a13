/**
 * The configuration as the rest of the program sees it: complete (every default filled in), typed, in base units,
 * paths absolute, references resolved, deeply frozen. Components get their slice of it through the constructor.
 */
import type { AlertsConfig } from './snapshot-alerts.ts';
import type { ControlConfig } from './snapshot-control.ts';
import type { CapConfig, PolicyConfig } from './snapshot-limits.ts';
import type { LogConfig } from './snapshot-log.ts';
import type { Places } from './snapshot-places.ts';
import type { BouncePattern } from '../bounce/index.ts';
import type { BounceCategory, BounceClass, Phase, Rate } from '../core/index.ts';

export interface Endpoint {
  /** Host name (A-label) or IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface Cidr {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** none: never; may: when offered; require: encrypted or not at all; verify: also a valid certificate. */
export type TlsMode = 'none' | 'may' | 'require' | 'verify';

/** Waiting times of a session by phase (RFC 5321 §4.5.3.2). */
export interface TimeoutsConfig {
  readonly connectMs: number;
  readonly greetingMs: number;
  readonly ehloMs: number;
  readonly mailMs: number;
  readonly rcptMs: number;
  readonly dataInitMs: number;
  readonly dataBlockMs: number;
  readonly dataDoneMs: number;
  /** The most of the first three where sets of hosts of an ISP share fewer than four sessions. */
  readonly sharedMs: number;
  /** How long an unused session is kept for the next message. */
  readonly idleMs: number;
}

export interface EgressConfig {
  readonly port: number;
  /** SMTP sessions of all nodes. */
  readonly maxSessions: number;
  readonly timeouts: TimeoutsConfig;
}

export interface StatusConfig {
  /** Null: no status page. */
  readonly listen: Endpoint | null;
  readonly tokenFile: string | null;
}

export interface SmtpUserConfig {
  readonly user: string;
  readonly passwordFile: string;
  /** Senders and virtual senders this user may use; empty means all. */
  readonly senders: readonly string[];
  /** Accounts its mail may name; empty means any. */
  readonly accounts: readonly string[];
}

export interface SmtpTlsConfig {
  readonly certFile: string | null;
  readonly keyFile: string | null;
  readonly required: boolean;
}

export interface SmtpConfig {
  readonly listen: readonly Endpoint[];
  readonly relayFrom: readonly Cidr[];
  readonly proxyProtocolFrom: readonly Cidr[];
  readonly xclientFrom: readonly Cidr[];
  readonly auth: readonly SmtpUserConfig[];
  readonly tls: SmtpTlsConfig;
  readonly maxMessageBytes: number;
  readonly maxRecipients: number;
}

export type StopScope = 'platform' | 'account' | 'none';

/** The inbound side. */
export interface MxConfig {
  readonly listen: readonly Endpoint[];
  readonly domains: readonly string[];
  readonly proxyProtocolFrom: readonly Cidr[];
  readonly forwardTo: string | null;
  /** Null: the first sender. */
  readonly forwardSender: string | null;
  readonly forwardAutoReplies: boolean;
  readonly tls: Pick<SmtpTlsConfig, 'certFile' | 'keyFile'>;
  readonly maxMessageBytes: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerPeer: number;
  readonly ratePerPeer: Rate;
  readonly maxWaitingBytes: number;
  readonly quarantineBytes: number;
  readonly checkReporter: 'off' | 'record' | 'require';
  readonly stopList: Readonly<Record<'hardBounce' | 'complaint' | 'unsubscribe', StopScope>>;
}

export interface DnsConfig {
  readonly servers: 'system' | readonly Endpoint[];
  readonly timeoutMs: number;
  /** Answers kept. */
  readonly cacheSize: number;
  /** MX hosts on this machine are taken: test networks only. */
  readonly allowLoopbackMx: boolean;
}

export interface JournalConfig {
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  readonly onFull: 'gap' | 'stop';
}

export interface RouteConfig {
  /** `example.com`, `*.suffix` or `*`; see domainMatches. */
  readonly domain: string;
  readonly hosts: readonly Endpoint[];
  /** Null: the sender decides, then the strategy. */
  readonly tls: TlsMode | null;
}

export interface StrategyConfig {
  readonly name: string;
  /** Messages per window of one node towards one ISP; null: no limit. */
  readonly ratePerInterval: Rate | null;
  readonly concurrentConnections: number;
  readonly messagesPerConnection: number;
  readonly connectionAttempts: number;
  /** Messages that may go at once when the limiter was idle. */
  readonly burst: number;
  /** Messages of a calendar day in `timezone`; null: no limit. */
  readonly dailyLimit: number | null;
  readonly maxRecipientsPerTransaction: number;
  readonly helo: 'hostname' | 'from_domain' | 'address';
  readonly tls: TlsMode | null;
  /** Discards instead of delivering. */
  readonly drop: boolean;
  /** How a lowered speed behaves. */
  readonly adaptive: AdaptiveConfig;
}

/** What the replies of a receiver do to the speed. Percentages are plain numbers. */
export interface AdaptiveConfig {
  /** False: only rules (slow_down) lower the speed; it recovers in the same way. */
  readonly enabled: boolean;
  /** Categories of refusals that count as trouble. */
  readonly categories: readonly BounceCategory[];
  /** Share of trouble that is borne. */
  readonly threshold: number;
  /** The most that one step takes away. */
  readonly decrease: number;
  /** Part of the known speed that a step gives back. */
  readonly increase: number;
  readonly stepMs: number;
  /** How long the known speed is kept before more is tried. */
  readonly holdMs: number;
  /** The slowest speed; null: floorPercent of the strategy's. */
  readonly floor: Rate | null;
  readonly floorPercent: number;
}

/** Which strategy applies towards which ISP; read it with strategyFor. */
export interface StrategyChoice {
  readonly default: StrategyConfig;
  readonly byIsp: Readonly<Record<string, StrategyConfig>>;
}

export interface NodeConfig {
  readonly name: string;
  /** The IP address it sends from, in canonical spelling. */
  readonly address: string;
  readonly hostname: string;
  readonly maxSessions: number;
  readonly enabled: boolean;
  /** What its mail does while the address is not on the machine. */
  readonly whenDown: 'wait' | 'move';
  /** The node's own speeds, before those of the sender; null: those of the sender. */
  readonly strategies: StrategyChoice | null;
  readonly warmup: WarmupPlanConfig | null;
}

/** Daily caps of a new address, stage by stage. Percentages are plain numbers. */
export interface WarmupPlanConfig {
  readonly name: string;
  /** Recipients a day towards one ISP. */
  readonly stages: readonly number[];
  readonly byIsp: Readonly<Record<string, readonly number[]>>;
  /** Part of the cap that a day must have delivered for the next stage. */
  readonly advanceAt: number;
  readonly maxHardBounces: number;
  readonly maxBlocks: number;
  readonly minAttempts: number;
  readonly pauseMs: number;
  readonly overflow: 'wait' | 'move';
}

export interface IspConfig {
  readonly name: string;
  readonly domains: readonly string[];
  readonly mx: readonly string[];
  readonly headers: {
    readonly add: Readonly<Record<string, string>>;
    readonly remove: readonly string[];
  };
  /** Transfer encoding of text parts; null: as they are. */
  readonly encoding: {
    readonly text: TextEncoding | null;
    readonly html: TextEncoding | null;
  } | null;
  /** Name of the strategy that an address starts with; it is in the choices of nodes and senders already. */
  readonly strategy: string | null;
  readonly source: string | null;
}

export type TextEncoding = 'quoted-printable' | 'base64' | '8bit';

export interface RetryRuleConfig {
  readonly name: string;
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  readonly type: 'fixed' | 'geometric' | 'random' | 'list';
  readonly intervalMs: number;
  /** geometric: each wait is this many times the one before. */
  readonly exponent: number;
  /** random: from the interval to interval x (1 + modifier). */
  readonly modifier: number;
  /** list: the waits in order; the last one repeats. */
  readonly intervalsMs: readonly number[];
  readonly maxIntervalMs: number;
  readonly mode: 'same_node' | 'sender_nodes' | 'any_node';
}

export interface LockRuleConfig {
  readonly name: string;
  readonly scope: 'node_isp' | 'node' | 'sender_isp' | 'isp';
  readonly durationMs: number;
  /** Each lock that follows before a success lasts this many times longer, up to `maxDurationMs`. */
  readonly escalate: number;
  readonly maxDurationMs: number;
  /** So many refusals within so long. */
  readonly threshold: Rate;
  /** What the waiting mail does. */
  readonly waiting: 'wait' | 'move';
}

/** All lists that are not empty must match, each by one of its entries; names may hold `*`, codes `x`. */
export interface RuleWhen {
  readonly isp: readonly string[];
  readonly sender: readonly string[];
  readonly class: readonly BounceClass[];
  readonly category: readonly BounceCategory[];
  readonly code: readonly string[];
  readonly enhanced: readonly string[];
  readonly pattern: readonly string[];
  readonly phase: readonly Phase[];
}

export interface RuleThen {
  readonly retry: RetryRuleConfig | null;
  readonly lock: LockRuleConfig | null;
  /** Percent of the speed. */
  readonly slowDown: number | null;
  readonly stopList: boolean;
  readonly fail: boolean;
  readonly alert: boolean;
}

export interface RuleConfig {
  readonly name: string;
  readonly when: RuleWhen;
  readonly then: RuleThen;
  /** It came with the program: what a sender says itself goes before it. */
  readonly shipped: boolean;
}

export interface DkimKeyConfig {
  readonly domain: string;
  readonly selector: string;
  readonly keyFile: string;
}

export interface SenderNodeConfig {
  readonly node: string;
  readonly weight: number;
}

export interface SenderConfig {
  readonly name: string;
  readonly nodes: readonly SenderNodeConfig[];
  readonly strategies: StrategyChoice;
  readonly retry: RetryRuleConfig;
  /** The configuration says which or what; otherwise it is the built-in default, and shipped rules may choose another. */
  readonly retryIsOwn: boolean;
  /** Null: the given reverse-path is kept. */
  readonly returnPathDomain: string | null;
  readonly returnPath: 'per_delivery' | 'shared';
  /** Null: no List-Unsubscribe is added. */
  readonly listUnsubscribe: { readonly mailto: boolean; readonly url: string | null } | null;
  readonly dkim: readonly DkimKeyConfig[];
  readonly dkimMissing: 'send' | 'refuse';
  readonly lifetimeMs: number;
  readonly tls: TlsMode | null;
}

/** All conditions that are not empty must hold; a condition holds when one of its values matches. */
export interface VirtualSenderCondition {
  readonly group: readonly string[];
  readonly fromDomain: readonly string[];
  readonly toDomain: readonly string[];
  readonly fromEmail: readonly string[];
  readonly isp: readonly string[];
}

export interface VirtualSenderShareConfig {
  readonly sender: string;
  readonly percent: number;
  readonly fromEmail: string | null;
  readonly fromName: string | null;
  readonly replyTo: string | null;
}

export interface VirtualSenderRuleConfig {
  readonly when: 'default' | VirtualSenderCondition;
  /** Percentages sum to 100. */
  readonly senders: readonly VirtualSenderShareConfig[];
  /** A recipient always gets the same sender. */
  readonly sticky: boolean;
  /** The share of a sender that is stopped towards the recipient's ISP goes to the others. */
  readonly fallback: boolean;
}

export interface VirtualSenderConfig {
  readonly name: string;
  /** First match wins; the last rule is the default. */
  readonly rules: readonly VirtualSenderRuleConfig[];
}

export interface Config {
  readonly hostname: string;
  readonly dataDir: string;
  readonly workers: 'auto' | number;
  readonly durability: 'sync' | 'process';
  readonly secretFile: string;
  readonly egress: EgressConfig;
  readonly control: ControlConfig;
  readonly status: StatusConfig;
  readonly smtp: SmtpConfig;
  readonly mx: MxConfig;
  readonly dns: DnsConfig;
  readonly timezone: string;
  readonly historyRetentionMs: number;
  readonly diskReserveBytes: number;
  readonly idempotencyWindowMs: number;
  readonly journal: JournalConfig;
  readonly include: readonly string[];
  readonly alerts: AlertsConfig;
  readonly log: LogConfig;
  readonly routes: readonly RouteConfig[];
  readonly nodes: readonly NodeConfig[];
  /** In order: those of the configuration, then the shipped ones. */
  readonly isps: readonly IspConfig[];
  readonly shippedIsps: boolean;
  readonly strategies: readonly StrategyConfig[];
  readonly retryRules: readonly RetryRuleConfig[];
  readonly lockRules: readonly LockRuleConfig[];
  /** In order, the shipped ones last; the first match decides. */
  readonly rules: readonly RuleConfig[];
  /** Whether the shipped ones are among them. */
  readonly shippedRules: boolean;
  /** Before the shipped ones. */
  readonly bouncePatterns: readonly BouncePattern[];
  readonly warmupPlans: readonly WarmupPlanConfig[];
  readonly caps: readonly CapConfig[];
  readonly policies: readonly PolicyConfig[];
  readonly senders: readonly SenderConfig[];
  readonly virtualSenders: readonly VirtualSenderConfig[];
  /** Where these are written. */
  readonly places: Places;
}

/** The strategy towards an ISP; undefined stands for a domain of no ISP. */
export function strategyFor(choice: StrategyChoice, isp: string | undefined): StrategyConfig {
  return isp !== undefined && Object.hasOwn(choice.byIsp, isp) ? choice.byIsp[isp]! : choice.default;
}

/** Whether `example.com`, `*.suffix` (sub-domains only) or `*` covers a lower-case A-label domain. */
export function domainMatches(pattern: string, domain: string): boolean {
  if (pattern === '*' || pattern === domain) return true;
  return pattern.startsWith('*.') && domain.endsWith(pattern.slice(1)) && domain.length >= pattern.length;
}
