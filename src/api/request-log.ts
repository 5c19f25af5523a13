/** The log as a route writes it: each line names the request, by the id that its caller has in `x-request-id`. */
import type { FastifyRequest } from 'fastify';
import type { Log } from './dependencies.ts';

export function logOf({ log }: { readonly log: Log }, { id }: Pick<FastifyRequest, 'id'>): Log {
  return {
    info: (details, text) => log.info({ request: id, ...details }, text),
    warn: (details, text) => log.warn({ request: id, ...details }, text),
    error: (details, text) => log.error({ request: id, ...details }, text),
  };
}
