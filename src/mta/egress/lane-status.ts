/** What a lane says of itself and of its destinations. */
import type { Destination } from './destination.ts';
import type { Lane } from './lane.ts';
import type { SessionLevels } from './session-levels.ts';
import type { LaneStatus } from './status.ts';

/** `destinations`: those of the lane. */
export function laneStatus(
  lane: Lane,
  destinations: readonly Destination[],
  places: SessionLevels,
): LaneStatus {
  const { ratePerInterval, name } = lane.strategy;
  const first = (why: (destination: Destination) => string | undefined): string | undefined =>
    destinations.map(why).find((text) => text !== undefined);
  return {
    isp: lane.isp,
    key: lane.key,
    strategy: name,
    sessions: lane.sessions,
    maxSessions: lane.maxSessions,
    slowed: lane.slowed,
    warmup: lane.warmup?.status,
    ratePerSecond: ratePerInterval ? (ratePerInterval.count / ratePerInterval.perMs) * 1000 : undefined,
    inFlight: lane.inFlight,
    queues: destinations.reduce((sum, destination) => sum + destination.queueCount, 0),
    waiting:
      lane.waiting() ??
      first((destination) => destination.resting()) ??
      lane.capped() ??
      first((destination) => places.waiting(destination)),
    lastError: lane.lastError,
  };
}
