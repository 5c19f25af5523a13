/**
 * Which deliveries go in one transaction: those of one message whose return path and bytes are the same, for the same
 * hosts. They come from one queue, the first in memory and the rest from the store. How many: as the strategy allows,
 * and no more than have their tokens at the same moment, so no window of a limiter notices.
 */
import { needsSmtpUtf8, parseAddress } from '../../core/index.ts';
import type { LeasedDelivery } from '../../queue/index.ts';
import type { EgressSettings } from './context.ts';
import type { Destination } from './destination.ts';
import { placeOf } from './domain-place.ts';
import type { FlowQueue } from './flow-queue.ts';
import type { SharedLimit } from './shared-limit.ts';

/** Deliveries of one transaction; at least one. */
export type Together = readonly LeasedDelivery[];

export interface Gathering {
  readonly destination: Destination;
  readonly queue: FlowQueue;
  /** Handed out already. */
  readonly first: LeasedDelivery;
  /** Limits beside that of the lane. */
  readonly limits: readonly SharedLimit[];
}

export function gather(settings: EgressSettings, gathering: Gathering): Promise<Together> | Together {
  const { destination, first, limits } = gathering;
  if (!mayShare(first, settings)) return [first];
  const { lane } = destination;
  const ofLane = lane.together(lane.strategy.maxRecipientsPerTransaction);
  const most = limits.reduce((count, limit) => limit.together(count), ofLane);
  return most <= 1 ? [first] : collect(gathering, most);
}

async function collect({ destination, queue, first }: Gathering, most: number): Promise<Together> {
  const group = [first];
  const fits = (other: LeasedDelivery): boolean => isLike(first, other);
  destination.gathering(queue);
  try {
    for (;;) {
      while (group.length < most) {
        const other = destination.takeNext(queue, fits);
        if (!other) break;
        group.push(other);
      }
      if (group.length === most || queue.buffered > 0) break;
      const fetching = destination.fetch(queue, most - group.length, first.number);
      if (!fetching) break;
      await fetching;
      if (queue.buffered === 0 || placeOf(queue).destination !== destination) break;
    }
  } finally {
    destination.gathered(queue);
  }
  return group;
}

/** Content of a campaign is rendered for each recipient; fields of the sender's may name the delivery. */
function mayShare(delivery: LeasedDelivery, { senders }: EgressSettings): boolean {
  const { shared, message, record } = delivery;
  if (!shared || message.kind !== 'raw') return false;
  const config = senders.get(record.sender)?.config;
  return config?.returnPath === 'shared' && config.listUnsubscribe === null;
}

function isLike(one: LeasedDelivery, other: LeasedDelivery): boolean {
  return (
    one.number === other.number &&
    one.record.sender === other.record.sender &&
    JSON.stringify(one.record.override) === JSON.stringify(other.record.override) &&
    needsUtf8(one) === needsUtf8(other)
  );
}

function needsUtf8({ record }: LeasedDelivery): boolean {
  const address = parseAddress(record.recipient);
  return address.ok && needsSmtpUtf8(address.value);
}
