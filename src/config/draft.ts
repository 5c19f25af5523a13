/**
 * A configuration after every value was read on its own: typed and in base units, keys still named as in the file.
 * When anything was reported, entries and values may be missing from it.
 */
import type * as z from 'zod';
import type { Path } from './problem.ts';
import type { lists, settings } from './schema.ts';

type Settings = { readonly [K in keyof typeof settings]: z.output<(typeof settings)[K]> };
type Lists = { readonly [K in keyof typeof lists]: Readonly<z.output<(typeof lists)[K]>> };

export type RouteDraft = Lists['routes'][number];
export type NodeDraft = Lists['nodes'][number];
export type IspDraft = Lists['isps'][number];
export type StrategyDraft = Lists['strategies'][number];
export type WarmupPlanDraft = Lists['warmup_plans'][number];
export type CapDraft = Lists['caps'][number];
export type PolicyDraft = Lists['policies'][number];
export type RetryRuleDraft = Lists['retry_rules'][number];
export type LockRuleDraft = Lists['lock_rules'][number];
export type RuleDraft = Lists['rules'][number];
export type BouncePatternDraft = Lists['bounce_patterns'][number];
export type SenderDraft = Lists['senders'][number];
export type VirtualSenderDraft = Lists['virtual_senders'][number];

export interface Draft {
  readonly settings: Settings;
  readonly lists: Lists;
  /** Where an entry of a list (of any depth) stands, or a key inside it. */
  readonly at: (entry: object, ...inside: Path) => Path;
}
