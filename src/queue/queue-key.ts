/** Which queue a delivery waits in, and how a queue is named. */
import { domainOf } from '../core/index.ts';
import { textKey } from './keys.ts';
import type { QueueKey } from './queue-head.ts';
import type { DeliveryRecord, MessageRecord } from './records.ts';

const MINUTE = 60_000;
const LAST = 2 ** 32 - 1;

/** What decides on the queue of a delivery. */
export interface Queued {
  readonly record: Pick<
    DeliveryRecord,
    'recipient' | 'sender' | 'node' | 'expiresAt' | 'deadline' | 'band' | 'mark'
  >;
  readonly message: Pick<MessageRecord, 'band' | 'deadline' | 'accountId' | 'campaignId'>;
}

/** Mail of the band geo without a deadline has until its lifetime ends. */
export function rankOf({ record, message }: Queued): number {
  const band = record.band ?? message.band;
  if (band === 'standard') return LAST;
  if (band === 'priority') return 0;
  const minute = Math.floor((record.deadline ?? message.deadline ?? record.expiresAt) / MINUTE);
  return Math.min(Math.max(minute, 1), LAST - 1);
}

/** Index of the band of a rank in BANDS. */
export const bandOfRank = (rank: number): number => (rank === 0 ? 0 : rank === LAST ? 2 : 1);

export function queueKeyOf(queued: Queued): QueueKey {
  const { record, message } = queued;
  return {
    node: record.node,
    domain: domainOf(record.recipient),
    sender: record.sender,
    account: message.accountId ?? '',
    campaign: message.campaignId ?? '',
    rank: rankOf(queued),
    mark: record.mark ?? 0,
  };
}

/** One text for a queue, in memory and in the table `queues`. */
export const nameOf = ({ node, domain, sender, account, campaign, rank, mark }: QueueKey): string =>
  `${node}\0${domain}\0${sender}\0${account}\0${campaign}\0${rank}\0${mark}`;

export const storedKey = (key: QueueKey): Buffer => textKey(nameOf(key));

export function parseStoredKey(key: Buffer): QueueKey {
  const [node = '', domain = '', sender = '', account = '', campaign = '', rank, mark] = key
    .toString()
    .split('\0');
  return { node, domain, sender, account, campaign, rank: Number(rank), mark: Number(mark) };
}
