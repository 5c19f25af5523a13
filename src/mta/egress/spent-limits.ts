/**
 * Which marks of limits say nothing any more, so that the store may forget them. Nodes leave the configuration, and sets
 * of hosts are mailed once and never again: without this their marks would stay for ever.
 *
 * A mark is forgotten when all that it counts is longer ago than any window that could still ask for it: the rate's, that
 * of every strategy and cap of now, and the days that a limiter remembers for a clock that is set back. What is in use
 * is never forgotten: lanes in memory, caps and campaigns that have limits. Warm-ups are kept much longer: receivers
 * forget an address that is silent for a quarter of a year, and those of configured ISPs are few.
 */
import type { Config } from '../../config/index.ts';
import { type Clock, dayAt } from '../../core/index.ts';
import type { LimitMark } from '../../queue/index.ts';
import type { CapMark } from './campaign-cap.ts';
import type { LaneMark } from './lane.ts';
import { type LimiterMark, windowOf } from './limiter.ts';
import { msSince } from './moment.ts';

const DAY_MS = 86_400_000;
/** Longer than a slowed speed is believed, and than the days of a limiter. */
const KEPT_MS = 5 * DAY_MS;
const WARMUP_KEPT_MS = 90 * DAY_MS;

export interface LimitsInUse {
  readonly clock: Clock;
  readonly config: Config;
  /** Since when (mono ms) the program sends: what was leased before may have been spent until then. */
  readonly since: number;
  /** Whether the lane of a node is in memory. */
  readonly hasLane: (node: string, lane: string) => boolean;
  readonly hasCap: (name: string) => boolean;
  readonly hasCampaign: (account: string, campaign: string) => boolean;
}

/** Whether a mark, as it is stored, can be forgotten. */
export function spentLimits(use: LimitsInUse): (mark: LimitMark) => boolean {
  const { clock, config, since } = use;
  const rates = [
    ...config.strategies.map((one) => one.ratePerInterval),
    ...config.caps.map((cap) => cap.rate),
  ];
  const longestMs = Math.max(KEPT_MS, ...rates.map((rate) => rate?.perMs ?? 0));
  const today = dayAt(clock.now(), config.timezone).name;
  return ({ key, value }) => {
    if (isInUse(use, key)) return false;
    const { slowed, warmup, ...rest } = value as LaneMark;
    const mark: LimiterMark = 'limiter' in value ? (value as CapMark).limiter : rest;
    const windowMs = Math.max(longestMs, windowOf(mark));
    const ageMs = msSince(clock, mark) - mark.aheadMs;
    if (ageMs < windowMs || (mark.reservedMs > 0 && clock.mono() - since < windowOf(mark))) return false;
    if (Object.keys(mark.days).some((day) => day >= today)) return false;
    if (slowed && clock.now() - slowed.changedAt < KEPT_MS) return false;
    return warmup === undefined || (ageMs >= WARMUP_KEPT_MS && !ofConfigured(config, key));
  };
}

/** Names may be those of a lane and of a cap at a time: what is either stays. */
function isInUse({ hasLane, hasCap, hasCampaign }: LimitsInUse, key: string): boolean {
  const [first = '', second = '', third] = key.split('\0');
  if (third !== undefined) return hasCampaign(second, third);
  return hasLane(first, second) || (first === 'cap' && hasCap(second));
}

/** A node towards an ISP, both of the configuration. */
function ofConfigured({ nodes, isps }: Config, key: string): boolean {
  const [node, lane = ''] = key.split('\0');
  return nodes.some(({ name }) => name === node) && isps.some(({ name }) => lane === `isp:${name}`);
}
