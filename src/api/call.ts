/** How a call of the API is described: once, for the OpenAPI document, the rights of callers and the tests. */
import type * as z from 'zod';

/** What a caller may do; a caller with `admin` may do everything. */
export const SCOPES = ['inject', 'read', 'operate', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** A message as RFC 5322 has it. */
export const MAIL = 'message/rfc822';

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** As the router has it: `/v1/messages/:id`. */
  readonly path: string;
  /** Name of the call in generated clients. */
  readonly id: string;
  /** How the log of operators calls it; what changes something and is not injection has one. */
  readonly action?: string;
  readonly tag: 'mail' | 'look-ups' | 'queue' | 'nodes' | 'server';
  readonly scope: Scope;
  /** A token that is bound to accounts or senders may use it: it sees and touches only what is its own. */
  readonly bound?: 'by accounts' | 'by accounts and senders';
  readonly summary: string;
  readonly description?: string;
  /** The schemas that check the request. */
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Body of JSON lines: the first one and the others. */
  readonly lines?: { readonly first: z.ZodType; readonly other: z.ZodType };
  readonly answer: {
    readonly status: 200 | 202;
    readonly description: string;
    readonly schema: z.ZodType;
    /** The answer is JSON lines of this schema. */
    readonly lines?: true;
    /** The answer is bytes of this type. */
    readonly type?: typeof MAIL;
  };
  /** Refusals beyond those that every call has. */
  readonly refusals?: readonly (keyof typeof REFUSALS)[];
  /** A request that works, run by a test against a server with one message in the queue. */
  readonly example: {
    readonly params?: Readonly<Record<string, string>>;
    readonly query?: Readonly<Record<string, string | number>>;
    readonly body?: object;
    readonly lines?: readonly object[];
  };
}

export const REFUSALS = {
  400: 'The request is wrong: `details` names the fields.',
  401: 'No token, or one that is not known (over TCP).',
  403: 'The caller may not do this.',
  404: 'There is no such thing, or no longer.',
  409: 'The idempotency key belongs to another request, or a line of the batch was changed.',
  413: 'The body is too large.',
  415: 'The body has another content type than the call takes.',
  422: 'The configuration has errors: `details.problems` names them.',
  429: 'The caller asks more often than it may: try again after `Retry-After` seconds.',
  503: 'The server takes no mail now, or has no room for the request or its answer: try again after `Retry-After` seconds.',
} as const;

/** Every call may be refused with these. */
export const ALWAYS = [400, 401, 403, 429] as const;
