/** What can be done to mail and nodes, how what it touches is counted beforehand, and how it is done. */
import type { JobView } from '../../api/index.ts';
import { type Answer, ask } from './ask.ts';

export const QUEUE_ACTIONS = ['hold', 'release', 'retry', 'purge'] as const;
export const LOCK_ACTIONS = ['lock', 'unlock'] as const;
export const NODE_ACTIONS = ['drain', 'resume'] as const;
export type QueueAction = (typeof QUEUE_ACTIONS)[number];
export type Action = QueueAction | (typeof LOCK_ACTIONS)[number] | (typeof NODE_ACTIONS)[number];

/** The names are those of the selector of the API. */
export interface Target {
  readonly account_id?: string;
  readonly campaign_id?: string;
  readonly sender?: string;
  readonly node?: string;
  readonly isp?: string;
}

export function actionsOn({ node, isp }: Target): readonly Action[] {
  if (node === undefined) return QUEUE_ACTIONS;
  return [...QUEUE_ACTIONS, ...LOCK_ACTIONS, ...(isp === undefined ? NODE_ACTIONS : [])];
}

export const targetText = (target: Target): string =>
  Object.entries(target)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');

const isQueueAction = (action: Action): action is QueueAction =>
  (QUEUE_ACTIONS as readonly string[]).includes(action);

/** How many deliveries it is about; nothing is changed. */
export const preview = (action: Action, target: Target): Promise<Answer<JobView>> =>
  ask(`/v1/queue/${isQueueAction(action) ? action : 'hold'}`, {
    method: 'POST',
    body: { selector: target, dry_run: true },
  });

/** `duration`: of a lock; empty: until it is lifted. */
export async function carryOut(
  action: Action,
  target: Target,
  duration: string,
): Promise<Answer<JobView | undefined>> {
  if (isQueueAction(action))
    return ask(`/v1/queue/${action}`, { method: 'POST', body: { selector: target } });
  const { node = '', isp } = target;
  const body: Record<string, string> = isp === undefined ? {} : { isp };
  if (action === 'lock' && duration !== '') body['duration'] = duration;
  const takesBody = action === 'lock' || action === 'unlock';
  const answer = await ask<object>(`/v1/nodes/${encodeURIComponent(node)}/${action}`, {
    method: 'POST',
    body: takesBody ? body : undefined,
  });
  return answer.ok ? { ok: true, value: undefined } : answer;
}
