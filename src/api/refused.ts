/** Refusals of the API as values, and the one form in which they are answered: `{error: {code, message, details}}`. */
import type { FastifyReply } from 'fastify';
import type { Result } from '../core/index.ts';
import type { InjectionRefusal } from '../mta/ingress/index.ts';

export type RefusedCode =
  | 'invalid_request'
  | 'unauthorized'
  | 'forbidden'
  | 'too_many'
  | 'not_found'
  | 'method_not_allowed'
  | 'too_large'
  | 'timeout'
  | 'unsupported_media_type'
  | 'configuration'
  | 'conflict'
  | 'unavailable'
  | 'internal';

export interface FieldProblem {
  /** `envelope.to[0]`; empty when it is about the whole. */
  readonly field: string;
  readonly message: string;
}

export interface Refused {
  readonly status: number;
  readonly code: RefusedCode;
  readonly message: string;
  readonly details?: unknown;
  readonly retryAfterSeconds?: number;
}

const RETRY_AFTER_S = 5;

export const sentence = ({ field, message }: FieldProblem): string =>
  field === '' ? message : `${field}: ${message}`;

export function invalid(problems: readonly FieldProblem[]): Refused {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const message = first ? `${sentence(first)}${more}` : 'the request is not valid';
  return { status: 400, code: 'invalid_request', message, details: problems };
}

export const notFound = (message: string): Refused => ({ status: 404, code: 'not_found', message });

export const unavailable = (message: string): Refused => ({
  status: 503,
  code: 'unavailable',
  message,
  retryAfterSeconds: RETRY_AFTER_S,
});

export const tooLarge = (limitBytes: number): Refused => ({
  status: 413,
  code: 'too_large',
  message: `the body is larger than ${limitBytes} bytes`,
  details: { limit_bytes: limitBytes },
});

/**
 * What the injector refused, in the words of HTTP; `names` are fields that the request calls otherwise.
 * 552 is its word for too large (RFC 5321 §4.2.3).
 */
export function fromInjection(refusal: InjectionRefusal, names: Readonly<Record<string, string>>): Refused {
  const { kind, text, code, enhanced } = refusal;
  if (kind === 'unavailable') return unavailable(text);
  const field = names[refusal.field ?? ''] ?? refusal.field ?? '';
  const details = [{ field, message: text, smtp: `${code} ${enhanced}` }];
  const message = sentence({ field, message: text });
  if (kind === 'conflict') return { status: 409, code: 'conflict', message, details };
  return code === 552
    ? { status: 413, code: 'too_large', message, details }
    : { status: 400, code: 'invalid_request', message, details };
}

export const errorBody = ({ code, message, details }: Refused): { error: object } => ({
  error: { code, message, ...(details === undefined ? {} : { details }) },
});

export function refuse(reply: FastifyReply, refused: Refused): FastifyReply {
  if (refused.retryAfterSeconds !== undefined) void reply.header('retry-after', refused.retryAfterSeconds);
  return reply.code(refused.status).send(errorBody(refused));
}

export function answer(reply: FastifyReply, result: Result<object, Refused>, status = 200): FastifyReply {
  return result.ok ? reply.code(status).send(result.value) : refuse(reply, result.error);
}
