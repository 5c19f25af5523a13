/** Calls about the server itself. */
import * as z from 'zod';
import type { Call } from './call.ts';
import { noBody, noQuery } from './schemas.ts';
import { nodeList, reloadView, statusView } from './views.ts';

export const SERVER_CALLS: readonly Call[] = [
  {
    method: 'GET',
    path: '/v1/status',
    id: 'getStatus',
    tag: 'server',
    scope: 'read',
    summary: 'The server at a glance',
    query: noQuery,
    answer: { status: 200, description: 'Status.', schema: statusView },
    example: {},
  },
  {
    method: 'GET',
    path: '/v1/nodes',
    id: 'getNodes',
    tag: 'server',
    scope: 'read',
    summary: 'The nodes, and what each does towards each ISP',
    query: noQuery,
    answer: { status: 200, description: 'Nodes.', schema: nodeList },
    example: {},
  },
  {
    method: 'POST',
    path: '/v1/config/reload',
    id: 'reloadConfiguration',
    tag: 'server',
    scope: 'admin',
    summary: 'Read the configuration again',
    description: 'With an error in it nothing changes.',
    body: noBody,
    answer: { status: 200, description: 'What changed.', schema: reloadView },
    refusals: [422],
    example: { body: {} },
  },
  {
    method: 'GET',
    path: '/v1/openapi.json',
    id: 'getDescription',
    tag: 'server',
    scope: 'read',
    summary: 'This description',
    answer: { status: 200, description: 'An OpenAPI 3.1 document.', schema: z.looseObject({}) },
    example: {},
  },
];
