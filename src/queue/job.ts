/**
 * What operators have asked for: holds and releases, which are done when they are stored, and jobs (purge, retry, move,
 * change), which work on what was accepted before them, slice by slice.
 */
import type { Band } from './queue-head.ts';
import type { DeliveryRecord } from './records.ts';
import type { Selector } from './selector.ts';

export type Operation =
  | { readonly op: 'hold' | 'release' | 'purge' | 'retry' }
  /** To a node; or to a sender, by one of its nodes (listed as often as its weight says). */
  | { readonly op: 'move'; readonly node: string }
  | { readonly op: 'move' | 'change'; readonly sender: string; readonly nodes: readonly string[] }
  | { readonly op: 'change'; readonly band: Band }
  /** Nobody's wish: the clock was set back by `by` ms; what was due before was so by `from` (wall ms). */
  | { readonly op: 'redate'; readonly from: number; readonly by: number };

/** A step is noticed within the one, and its job is through with the queues within the other. */
const NOTICED_MS = 5_000;
const SETTLED_MS = 60_000;

export type JobState = 'counting' | 'running' | 'done';

export interface JobRecord {
  readonly id: number;
  readonly operation: Operation;
  readonly selector: Selector;
  /** When it was asked for (wall ms). */
  readonly at: number;
  /** Only messages with a smaller number: what comes later is not meant. */
  readonly watermark: number;
  readonly state: JobState;
  /** Deliveries that fitted when they were counted; so far, while the state is `counting`. */
  readonly matched: number;
  /** Its entry in the log of operators. */
  readonly entry?: number | undefined;
  /** Deliveries that it has changed. */
  readonly done: number;
}

/** Whether an operation can change anything in a queue, or in what a selector names. */
export function concerns(operation: Operation, { node, sender }: Pick<Selector, 'node' | 'sender'>): boolean {
  if ('node' in operation) return node !== operation.node;
  return !('sender' in operation) || sender !== operation.sender;
}

/** Where an operation puts mail; none where it leaves it to its node and sender. */
export function placesOf(operation: Operation): readonly Pick<Selector, 'node' | 'sender'>[] {
  if ('node' in operation) return [{ node: operation.node }];
  if (!('sender' in operation)) return [];
  const { sender, nodes } = operation;
  return nodes.length === 0 ? [{ sender }] : [...new Set(nodes)].map((node) => ({ sender, node }));
}

/** The record as the job leaves it; undefined where it is that way already. */
export function changed(
  { operation, at, id }: Pick<JobRecord, 'operation' | 'at' | 'id'>,
  { number, record }: { readonly number: number; readonly record: DeliveryRecord },
): DeliveryRecord | undefined {
  if (operation.op === 'retry') {
    // What was tried since is left alone, so that a job ends and can be repeated.
    const tried = (record.attempts.at(-1)?.at ?? 0) > at;
    return record.wakeAt > at && !tried ? { ...record, wakeAt: at } : undefined;
  }
  if (operation.op === 'redate') return redated(operation, record, { at, id });
  if ('band' in operation)
    return record.band === operation.band ? undefined : { ...record, band: operation.band };
  if ('node' in operation)
    return record.node === operation.node ? undefined : { ...record, node: operation.node };
  if (!('sender' in operation) || record.sender === operation.sender) return undefined;
  const { sender, nodes } = operation;
  return { ...record, sender, node: nodes[number % nodes.length] ?? record.node };
}

/**
 * What waits for a retry waits as long as it would have; what was due is due. A time that was asked for stays. What was
 * tried since the step has its time by the new clock; an attempt before it may look the same, and then waits longer.
 * After a restart the job begins anew: what it has brought to the new time says so.
 */
function redated(
  { from, by }: Operation & { op: 'redate' },
  record: DeliveryRecord,
  { at, id }: Pick<JobRecord, 'at' | 'id'>,
): DeliveryRecord | undefined {
  const { wakeAt, attempts } = record;
  if ((record.redated ?? 0) >= id) return undefined;
  const last = attempts.at(-1);
  const triedSince = last !== undefined && last.at >= at - NOTICED_MS && last.at < at + SETTLED_MS;
  if (wakeAt <= at || triedSince || (!last && wakeAt > from)) return undefined;
  return { ...record, wakeAt: Math.max(at, wakeAt - by), redated: id };
}
