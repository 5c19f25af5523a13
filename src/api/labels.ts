/** From checked request fields to what the injector takes. */
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { err, ok, type Result } from '../core/index.ts';
import type { ContentParts, Labels, Origin } from '../mta/ingress/index.ts';
import { parseTime } from '../mta/ingress/index.ts';
import { accountFor } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { FieldProblem, Refused } from './refused.ts';
import type { BatchHeaderBody, MessageBody } from './schemas.ts';

const timeOf = (text: string | undefined, now: number): number | undefined =>
  text === undefined ? undefined : parseTime(text, now);

export function labelsOf(
  body: MessageBody | BatchHeaderBody,
  now: number,
  caller: Caller,
): Result<Labels, Refused> {
  const account = accountFor(caller, body.account_id);
  if (!account.ok) return account;
  return ok({
    virtualSender: body.virtual_sender,
    sender: body.sender,
    campaignId: body.campaign_id,
    accountId: account.value,
    group: body.group,
    band: body.band,
    deadline: timeOf(body.deadline, now),
    notBefore: timeOf(body.not_before, now),
    expires: timeOf(body.expires, now),
    test: body.test,
    copies: body.copies,
    metadata: body.metadata,
    idempotencyKey: body.idempotency_key,
  });
}

/** Of a request with an idempotency key: the same for the same fields in whatever order; undefined without a key. */
export function digestOf(body: MessageBody | BatchHeaderBody): string | undefined {
  if (body.idempotency_key === undefined) return undefined;
  return createHash('sha256').update(JSON.stringify(body, sorted)).digest('base64url');
}

const sorted = (_name: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** Callers on the socket have no address; those over TCP have. Idempotency keys of one token mean nothing for another. */
export function originOf(request: FastifyRequest): Origin {
  const { kind, name, senders } = callerOf(request);
  return {
    protocol: 'HTTP',
    helo: '',
    peerAddress: request.socket.remoteAddress ?? 'local',
    ...(senders && { allowedSenders: senders }),
    ...(kind === 'token' && { caller: `token ${name}` }),
  };
}

/** The message bytes, or the parts; exactly one of the fields is there (schemas.ts). */
export function contentOf(body: MessageBody | BatchHeaderBody): Result<ContentParts | Buffer, FieldProblem> {
  if (body.parts) return ok(body.parts);
  const text = body.content ?? '';
  if (body.content_encoding !== 'base64') return ok(Buffer.from(text, 'utf8'));
  const bytes = decodeBase64(text);
  return bytes ? ok(bytes) : err({ field: 'content', message: 'is not base64, as content_encoding says' });
}

/** Strict base64, line breaks allowed (RFC 4648 §3.3, RFC 2045 §6.8): Node skips what is foreign, so count. */
function decodeBase64(text: string): Buffer | undefined {
  const digits = text.replace(/[\r\n \t]+/g, '').replace(/={1,2}$/, '').length;
  const bytes = Buffer.from(text, 'base64');
  return digits % 4 !== 1 && bytes.length === Math.floor((digits * 3) / 4) ? bytes : undefined;
}
