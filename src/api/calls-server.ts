/** Calls about the server itself. */
import * as z from 'zod';
import type { Call } from './call.ts';
import { auditLogQuery } from './audit-log.ts';
import { noBody, noQuery, patternQuery } from './schemas.ts';
import { reloadView, statusView } from './views.ts';
import { auditLog, auditReport, bouncePatterns } from './views-server.ts';

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
    method: 'POST',
    path: '/v1/config/reload',
    id: 'reloadConfiguration',
    action: 'reload',
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
    path: '/v1/audit-log',
    id: 'getAuditLog',
    tag: 'server',
    scope: 'admin',
    summary: 'What operators did, the newest first',
    description:
      'Who, when, what, and how many deliveries it was about; kept for 90 days. An action whose end is not known is ' +
      '`started`.',
    query: auditLogQuery,
    answer: { status: 200, description: 'A page of the log.', schema: auditLog },
    example: { query: { action: 'queue hold', limit: 10 } },
  },
  {
    method: 'GET',
    path: '/v1/audit',
    id: 'audit',
    tag: 'server',
    scope: 'admin',
    summary: 'Prove from the store that nothing is lost',
    description: 'Walks all of the store in another process. One at a time.',
    query: noQuery,
    answer: { status: 200, description: 'What was found.', schema: auditReport },
    refusals: [503],
    example: {},
  },
  {
    method: 'GET',
    path: '/v1/bounce-patterns',
    id: 'getBouncePatterns',
    tag: 'server',
    scope: 'read',
    summary: 'How often each pattern decided, and the replies that none knew',
    query: patternQuery,
    answer: { status: 200, description: 'Patterns and replies.', schema: bouncePatterns },
    example: { query: { limit: 5 } },
  },
  {
    method: 'GET',
    path: '/v1/openapi.json',
    id: 'getDescription',
    tag: 'server',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'This description',
    answer: { status: 200, description: 'An OpenAPI 3.1 document.', schema: z.looseObject({}) },
    example: {},
  },
];
