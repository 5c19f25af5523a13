/**
 * A queue is one row of the counters (node, domain, sender, account, campaign) and one rank, so whoever looks for the
 * mail of a campaign or of a node finds its queues without reading any delivery, and queues of different campaigns can
 * take turns.
 */
export type Band = 'priority' | 'geo' | 'standard';
export const BANDS: readonly Band[] = ['priority', 'geo', 'standard'];

export interface QueueKey {
  readonly node: string;
  readonly domain: string;
  readonly sender: string;
  readonly account: string;
  readonly campaign: string;
  /** The smaller one goes first: 0 for priority, the minute of the deadline for geo, the last one for standard. */
  readonly rank: number;
  /** The mark (holds.ts) that was set on single deliveries and fits those of this queue; 0 for none. */
  readonly mark: number;
}

/** A queue. There is one such object for a queue as long as it is used, so it can be compared and be a key itself. */
export interface QueueHead extends QueueKey {
  readonly id: number;
  /** Sender, account and campaign in one text: what takes turns on the way out. */
  readonly flow: string;
  /** Wall time (ms) at which the earliest slot wakes that is not kept back; Infinity when there is none. */
  readonly wakeAt: number;
  /** An operator holds it: its slots wait until it is released. */
  readonly held: boolean;
  /** Whether a delivery of a message of this number is not to be sent now: by a hold, or by a job that is about to take it. */
  keepsBack(number: number): boolean;
}
