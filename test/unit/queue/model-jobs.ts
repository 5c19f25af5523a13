/** What operators have asked for, as the model knows it: standing marks, and jobs that are not done. */
import type { ModelDelivery } from './model.ts';

export interface ModelSelector {
  readonly node?: string | undefined;
  readonly domain?: string | undefined;
  readonly campaign?: string | undefined;
  readonly recipient?: string | undefined;
}

export type ModelOperation = 'hold' | 'release' | 'purge' | 'retry' | 'move';

export interface ModelJob {
  readonly id: number;
  readonly op: ModelOperation;
  readonly selector: ModelSelector;
  /** Node that mail moves to. */
  readonly node: string;
  readonly at: number;
  /** Messages before this one are meant. */
  readonly watermark: number;
  done: number;
}

export function fits(selector: ModelSelector, delivery: ModelDelivery): boolean {
  const names = ['node', 'domain', 'campaign', 'recipient'] as const;
  return names.every((name) => selector[name] === undefined || selector[name] === delivery[name]);
}

/** Whether a job stops the queue of a delivery until it is through: it speaks of whole queues and takes mail away. */
export function stops({ op, selector, node }: ModelJob, delivery: ModelDelivery): boolean {
  if (selector.recipient !== undefined || !fits(selector, delivery)) return false;
  return op === 'purge' || (op === 'move' && delivery.node !== node);
}

/** What a job makes of a delivery that is for `node` by now; undefined when it leaves it as it is. */
export function effect(
  job: ModelJob,
  delivery: ModelDelivery,
  node = delivery.node,
): Partial<ModelDelivery> | undefined {
  if (delivery.number >= job.watermark || !fits(job.selector, delivery)) return undefined;
  if (job.op === 'purge') return { state: 'removed' };
  if (job.op === 'retry')
    return delivery.wakeAt > job.at && delivery.triedAt <= job.at ? { wakeAt: job.at } : undefined;
  return job.op === 'move' && node !== job.node ? { node: job.node } : undefined;
}
