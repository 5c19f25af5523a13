/** The limits beside that of its lane that mail meets. */
import type { QueueHead } from '../../queue/index.ts';
import type { EgressContext } from './context.ts';
import type { Lane } from './lane.ts';
import type { SharedLimit } from './shared-limit.ts';

/** Of the ISP, of the queue's sender towards it, of its campaign. */
export function limitsOf(
  { campaigns }: Pick<EgressContext, 'campaigns'>,
  lane: Lane,
  queue: Pick<QueueHead, 'sender' | 'account' | 'campaign'>,
): readonly SharedLimit[] {
  const campaign = campaigns.of(queue);
  const caps = lane.capsOf(queue.sender);
  return campaign ? [...caps, campaign] : caps;
}
