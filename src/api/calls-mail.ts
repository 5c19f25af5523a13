/** Calls by which mail comes in. */
import type { Call } from './call.ts';
import { batchHeader, batchLine, messageBody } from './schemas.ts';
import { acceptedMessage, batchAck, batchDone } from './views.ts';

export const MAIL_CALLS: readonly Call[] = [
  {
    method: 'POST',
    path: '/v1/messages',
    id: 'sendMessage',
    tag: 'mail',
    scope: 'inject',
    bound: 'by accounts and senders',
    summary: 'Send one message',
    description:
      'The answer comes when the message is durable. With an `idempotency_key` the request may be repeated: the same ' +
      'key gives the same answer, and nothing is sent twice.',
    body: messageBody,
    answer: { status: 202, description: 'The message is queued.', schema: acceptedMessage },
    refusals: [409, 413, 415, 503],
    example: {
      body: {
        envelope: { from: 'news@example.com', to: ['ann@example.net'] },
        parts: {
          from: 'News <news@example.com>',
          subject: 'Hello {{recipient}}',
          html: '<p>Hello</p>',
          text: 'Hello',
        },
        campaign_id: 'spring',
        account_id: 'shop',
        idempotency_key: 'order-17',
      },
    },
  },
  {
    method: 'POST',
    path: '/v1/batches',
    id: 'sendBatch',
    tag: 'mail',
    scope: 'inject',
    bound: 'by accounts and senders',
    summary: 'Send a content to many recipients',
    description:
      'JSON lines in, JSON lines out. The first line is the content with its labels, each other line a recipient with ' +
      'its variables. Lines up to `acked_through` are committed or named in `rejected`. When the connection breaks, ' +
      'send the same batch with the same `idempotency_key` again: committed lines are not repeated; empty lines may ' +
      'stand for those that were acknowledged.',
    lines: { first: batchHeader, other: batchLine },
    answer: {
      status: 200,
      description: 'Acknowledgements as commits happen, at the end the result, or an error.',
      schema: batchAck.or(batchDone),
      lines: true,
    },
    refusals: [409, 413, 415, 503],
    example: {
      lines: [
        {
          from: 'news@example.com',
          parts: {
            from: 'News <news@example.com>',
            subject: 'Hello {{name}}',
            html: '<p>Hello {{name}}</p>',
          },
          missing: 'refuse',
          defaults: { name: 'reader' },
          campaign_id: 'spring',
          idempotency_key: 'spring-2026',
        },
        { to: 'ann@example.net', vars: { name: 'Ann' } },
        { to: 'bob@example.org', vars: { name: 'Bob' }, not_before: '2h' },
      ],
    },
  },
];
