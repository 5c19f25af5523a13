/** The state of a lane for which no mail has come since the start: as it is stored, or as a new one begins. */
import type { NodeConfig } from '../../config/index.ts';
import type { EgressContext } from './context.ts';
import type { LaneMark } from './lane.ts';
import { laneMarkKey } from './lanes.ts';
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
