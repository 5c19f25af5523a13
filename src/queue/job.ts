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
  | { readonly op: 'change'; readonly band: Band };

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

/** The record as the operation leaves it; undefined where it is that way already. */
export function changed(
  operation: Operation,
  { number, record }: { readonly number: number; readonly record: DeliveryRecord },
  at: number,
): DeliveryRecord | undefined {
  if (operation.op === 'retry') {
    // What was tried since is left alone, so that a job ends and can be repeated.
    const tried = (record.attempts.at(-1)?.at ?? 0) > at;
    return record.wakeAt > at && !tried ? { ...record, wakeAt: at } : undefined;
  }
  if ('band' in operation)
    return record.band === operation.band ? undefined : { ...record, band: operation.band };
  if ('node' in operation)
    return record.node === operation.node ? undefined : { ...record, node: operation.node };
  if (!('sender' in operation) || record.sender === operation.sender) return undefined;
  const { sender, nodes } = operation;
  return { ...record, sender, node: nodes[number % nodes.length] ?? record.node };
}
