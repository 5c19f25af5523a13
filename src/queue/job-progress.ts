/** How far a job is, and how a delivery is changed by one. */
import type { Transaction } from './committer.ts';
import type { JobRecord } from './job.ts';
import { deliveryKey, numberKey } from './keys.ts';
import { deliveryEvent } from './labels.ts';
import { type Delivery, type DeliveryRecord, encode } from './records.ts';

/** A job under way: its record, and what works of commits that have not ended add to it. */
export interface Progress {
  record: JobRecord;
  /** Changes that are being committed. */
  pending: number;
}

/** Adds the changed record, and the event that tells of another node or sender. */
export function requeue(
  { ops, events }: Transaction,
  delivery: Delivery,
  record: DeliveryRecord,
  time: number,
): void {
  const { number, index, message, shared } = delivery;
  const value = encode(shared ? record : { ...record, message });
  ops.push({ table: 'deliveries', key: deliveryKey(number, index), value });
  const { node, sender, attempts } = delivery.record;
  if (record.node === node && record.sender === sender) return;
  events.push({
    ...deliveryEvent(delivery),
    type: 'moved',
    time,
    attempt: attempts.length,
    next_node: record.node,
    ...(record.sender === sender ? {} : { next_sender: record.sender }),
  });
}

/** Adds changes to what the store says of the job. */
export function addProgress(progress: Progress, changes: number, { ops }: Transaction): void {
  progress.pending += changes;
  const { record, pending } = progress;
  const value = encode({ ...record, done: record.done + pending });
  ops.push({ table: 'jobs', key: numberKey(record.id), value });
}

/** The commit with those changes has ended. */
export function conclude(progress: Progress, changes: number, stored: boolean): void {
  if (changes === 0) return;
  progress.pending -= changes;
  if (stored) progress.record = { ...progress.record, done: progress.record.done + changes };
}
