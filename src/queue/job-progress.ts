/** How far a job is, and how a delivery is changed by one. */
import type { Transaction } from './committer.ts';
import { changed, type JobRecord } from './job.ts';
import { movedEvent } from './event-runs.ts';
import type { Holds } from './holds.ts';
import { ispForJob, type JobDomains } from './job-domains.ts';
import { deliveryKey, numberKey } from './keys.ts';
import { type Delivery, type DeliveryRecord, encode } from './records.ts';
import type { IspOf } from './selector.ts';

/** A job under way: its record, and what works of commits that have not ended add to it. */
export interface Progress {
  record: JobRecord;
  /** Changes that are being committed. */
  pending: number;
  /** Its end is being committed: a change told of after that would have the store say again that it runs. */
  over: boolean;
  readonly domains: JobDomains;
  /** By its domains, where they are known. */
  readonly ispOf: IspOf;
}

export const begun = (record: JobRecord, domains: JobDomains, now: IspOf): Progress => ({
  record,
  pending: 0,
  over: false,
  domains,
  ispOf: ispForJob(record.selector, domains, now),
});

/** The record as a job leaves it; undefined when there is nothing to change. A hold or release sets the marks. */
export function changedRecord(
  holds: Holds,
  { number, record, message }: Delivery,
  job: Pick<JobRecord, 'operation' | 'at' | 'id'>,
): DeliveryRecord | undefined {
  const { op } = job.operation;
  const sets = op === 'hold' || op === 'release';
  const wanted = sets ? record : changed(job, { number, record });
  const next = wanted && holds.placed(number, wanted, message);
  return next === record ? undefined : next;
}

/** Adds the changed record. */
export function store({ ops }: Transaction, delivery: Delivery, record: DeliveryRecord): void {
  const { number, index, message, shared } = delivery;
  const value = encode(shared ? record : { ...record, message });
  ops.push({ table: 'deliveries', key: deliveryKey(number, index), value });
}

/** Adds the changed record of a delivery that gets another slot, and the event that tells of another node or sender. */
export function requeue(
  transaction: Transaction,
  delivery: Delivery,
  record: DeliveryRecord,
  time: number,
): void {
  store(transaction, delivery, { ...record, slotIn: undefined });
  const { node, sender } = delivery.record;
  if (record.node === node && record.sender === sender) return;
  transaction.events.push(movedEvent(delivery, time, record));
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
