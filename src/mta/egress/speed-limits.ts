/** Everything that limits how fast a node sends to an ISP, each with the setting it comes from: for `explain`. */
import { type CapConfig, placeOf, type Places, type StrategyConfig } from '../../config/index.ts';
import type { LaneStatus } from './status.ts';

export interface SpeedLimit {
  /** Where it comes from, in words. */
  readonly setting: string;
  /** Recipients per second. */
  readonly perSecond?: number | undefined;
  /** `file:line` of that. */
  readonly at?: string | undefined;
  /** Recipients of a calendar day. */
  readonly perDay?: number | undefined;
  readonly dayAt?: string | undefined;
  /** Only mail of this sender; undefined: all mail. */
  readonly sender?: string | undefined;
}

export interface Limiting {
  readonly strategy: StrategyConfig;
  readonly caps: readonly CapConfig[];
  readonly places: Places;
  /** Name of the ISP, or `other`. */
  readonly isp: string;
  /** Undefined when nothing was sent there yet. */
  readonly lane: Pick<LaneStatus, 'slowed' | 'warmup'> | undefined;
  /** Why nothing goes out at all. */
  readonly stopped: string | undefined;
  readonly now: number;
}

export function speedLimits({ strategy, caps, places, isp, lane, stopped, now }: Limiting): SpeedLimit[] {
  const { slowed, warmup } = lane ?? {};
  const at = (...keys: readonly string[]) => placeOf(places, 'strategies', strategy.name, ...keys);
  const stages = warmup && placeOf(places, 'warmup_plans', warmup.plan, `isps.${isp}`, 'stages');
  const limits: SpeedLimit[] = [];
  if (stopped !== undefined) limits.push({ setting: stopped, perSecond: 0 });
  if (warmup && warmup.pausedUntil > now)
    limits.push({ setting: `warm-up ${warmup.plan}, paused: ${warmup.reason}`, perSecond: 0, at: stages });
  limits.push({
    setting: `strategy ${strategy.name}`,
    perSecond: perSecond(strategy.ratePerInterval),
    at: at('rate', 'interval'),
    perDay: strategy.dailyLimit ?? undefined,
    dayAt: at('daily_limit'),
  });
  if (slowed)
    limits.push({
      setting: `slowed down below strategy ${strategy.name}: ${slowed.cutReason}`,
      perSecond: slowed.perSecond,
      at: at('rate', 'interval'),
    });
  if (warmup)
    limits.push({
      setting: `warm-up ${warmup.plan}, stage ${warmup.stage + 1} of ${warmup.stages}`,
      perDay: warmup.dailyCap,
      dayAt: stages,
    });
  return [...limits, ...capLimits(caps, places, isp)];
}

/** What all nodes together may send to an ISP. */
export const capLimits = (caps: readonly CapConfig[], places: Places, isp: string): SpeedLimit[] =>
  caps
    .filter((cap) => cap.isp === isp)
    .map((cap) => ({
      setting: `cap ${cap.name}`,
      perSecond: perSecond(cap.rate),
      at: placeOf(places, 'caps', cap.name, 'rate'),
      perDay: cap.dailyLimit ?? undefined,
      dayAt: placeOf(places, 'caps', cap.name, 'daily_limit'),
      sender: cap.sender ?? undefined,
    }));

const perSecond = (rate: CapConfig['rate']): number | undefined =>
  rate ? (rate.count / rate.perMs) * 1000 : undefined;

/** The limit that decides for mail of a sender; the first one of equals, undefined when there is none. */
export function lowestLimit(
  limits: readonly SpeedLimit[],
  of: 'perSecond' | 'perDay',
  sender: string,
): { readonly value: number; readonly setting: string; readonly at: string | undefined } | undefined {
  let lowest: ReturnType<typeof lowestLimit>;
  for (const limit of limits) {
    const { [of]: value, setting } = limit;
    if (value === undefined || (limit.sender !== undefined && limit.sender !== sender)) continue;
    if (lowest === undefined || value < lowest.value)
      lowest = { value, setting, at: of === 'perDay' ? limit.dayAt : limit.at };
  }
  return lowest;
}
