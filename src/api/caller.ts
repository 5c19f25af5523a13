/** Who sent a request. The door that let it in says so; routes and the log of operators ask. */
import type { FastifyRequest } from 'fastify';
import type { Operator } from '../queue/index.ts';
import type { Scope } from './call.ts';

export interface Caller extends Operator {
  /** What it may do; undefined: everything. */
  readonly scopes?: ReadonlySet<Scope> | undefined;
  /** The accounts whose mail it may give, see and touch; undefined: all. */
  readonly accounts?: readonly string[] | undefined;
  /** The senders and virtual senders it may give mail to; undefined: all. */
  readonly senders?: readonly string[] | undefined;
}

/** The command line says which user runs it. */
export const USER_HEADER = 'postrider-user';
const MAX_NAME = 64;

const callers = new WeakMap<object, Caller>();

export const setCaller = (request: FastifyRequest, caller: Caller): void =>
  void callers.set(request.raw, caller);

/** A request that no door has named came by the control socket. */
export const callerOf = (request: FastifyRequest): Caller =>
  callers.get(request.raw) ?? { kind: 'socket', name: saidName(request) };

/** Node.js does not tell whose process is at the other end of a Unix socket, so this is what the caller says. */
function saidName({ headers }: FastifyRequest): string {
  const said = headers[USER_HEADER];
  return typeof said === 'string' && /^[\x21-\x7e]+$/.test(said) ? said.slice(0, MAX_NAME) : '';
}
