/** Calls about nodes and locks. */
import * as z from 'zod';
import type { Call } from './call.ts';
import { lockBody, lockPath, nodePath, unlockBody } from './nodes.ts';
import { noBody, noQuery } from './schemas.ts';
import { speedQuery } from './speeds.ts';
import { lockList, nodeDone, nodeList, speedList } from './views.ts';

const steering = (
  verb: string,
  summary: string,
  { body = noBody, example = {} }: { readonly body?: z.ZodType; readonly example?: object } = {},
): Call => ({
  method: 'POST',
  path: `/v1/nodes/:name/${verb}`,
  id: `${verb}Node`,
  action: `node ${verb}`,
  tag: 'nodes',
  scope: 'operate',
  summary,
  params: nodePath,
  body,
  answer: { status: 200, description: 'The node and its state.', schema: nodeDone },
  refusals: [404, 503],
  example: { params: { name: 'n1' }, body: example },
});

export const NODE_CALLS: readonly Call[] = [
  {
    method: 'GET',
    path: '/v1/nodes',
    id: 'getNodes',
    tag: 'nodes',
    scope: 'read',
    summary: 'The nodes, and what each does towards each ISP',
    query: noQuery,
    answer: { status: 200, description: 'Nodes.', schema: nodeList },
    example: {},
  },
  {
    method: 'GET',
    path: '/v1/speeds',
    id: 'getSpeeds',
    tag: 'nodes',
    scope: 'read',
    summary: 'How much each sender may send towards each ISP, per node and in sum',
    query: speedQuery,
    answer: { status: 200, description: 'Averages per minute, hour and day.', schema: speedList },
    example: { query: { sender: 'main', isp: 'gmail' } },
  },
  steering('lock', 'Stop sending from a node, or from it to one ISP', {
    body: lockBody,
    example: { isp: 'gmail', duration: '30m', reason: 'asked by phone' },
  }),
  steering('unlock', 'Lift the locks of a node', { body: unlockBody, example: { isp: 'gmail' } }),
  steering('drain', 'Take no new mail, send what is queued'),
  steering('resume', 'Undo drain and disable; paused warm-ups go on'),
  steering('disable', 'Send nothing; the mail waits'),
  {
    method: 'GET',
    path: '/v1/locks',
    id: 'listLocks',
    tag: 'nodes',
    scope: 'read',
    summary: 'All locks, with the reply that caused each',
    query: noQuery,
    answer: { status: 200, description: 'Locks.', schema: lockList },
    example: {},
  },
  {
    method: 'DELETE',
    path: '/v1/locks/:id',
    id: 'liftLock',
    action: 'node lift',
    tag: 'nodes',
    scope: 'operate',
    summary: 'Lift one lock, of any scope',
    params: lockPath,
    answer: { status: 200, description: 'How many were lifted.', schema: z.object({ lifted: z.int() }) },
    refusals: [404, 503],
    example: { params: { id: 'known' } },
  },
];
