/** The state of a lane that is not in memory: as it is stored, or as a new one begins. */
import type { NodeConfig } from '../../config/index.ts';
import type { EgressContext } from './context.ts';
import { Lane, type LaneMark } from './lane.ts';
import { laneMarkKey } from './lanes.ts';
import { strategyOf } from './node-strategy.ts';
import type { LaneStatus } from './status.ts';
import { Warmup } from './warmup.ts';

/** `isp`: name of the ISP, or `other`. */
export function storedLane(
  { clock, queue, settings }: Pick<EgressContext, 'clock' | 'queue' | 'settings'>,
  { name, warmup: plan }: NodeConfig,
  { key, isp }: Pick<LaneStatus, 'key' | 'isp'>,
): Pick<LaneStatus, 'slowed' | 'warmup'> {
  const mark = queue.limitMark(laneMarkKey(name, key)) as LaneMark | undefined;
  const { timezone } = settings.config;
  const warmup =
    plan && new Warmup({ clock, plan, isp, timezone, mark: mark?.warmup, onChange: () => undefined });
  return { slowed: mark?.slowed, warmup: warmup?.status };
}

/** What mail for it would wait for, in words: a lane that is made for the question, and forgotten. */
export function storedWait(
  { clock, queue, settings, caps, locks }: EgressContext,
  node: NodeConfig,
  { key, isp }: Pick<LaneStatus, 'key' | 'isp'>,
): string | undefined {
  const { config } = settings;
  const lane = new Lane({
    key,
    isp: isp === 'other' ? undefined : isp,
    strategy: strategyOf(config, node, isp),
    timezone: config.timezone,
    clock,
    mark: queue.limitMark(laneMarkKey(node.name, key)) as LaneMark | undefined,
    warmup: node.warmup,
    onToken: () => undefined,
  });
  lane.caps = caps.of(lane.isp);
  lane.locks = locks.of(node.name, key);
  return lane.waiting();
}
