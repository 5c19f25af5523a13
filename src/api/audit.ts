/** `GET /v1/audit`: walks the store beside the running server and holds the server's own counts against it. */
import type { FastifyInstance } from 'fastify';
import { err, ok, type Result } from '../core/index.ts';
import { type AuditReport, leasedAmiss } from '../queue/index.ts';
import type { RouteContext } from './dependencies.ts';
import { answer, type Refused, unavailable } from './refused.ts';
import { noQuery } from './schemas.ts';
import { checkRequest } from './shape.ts';

export function addAudit(app: FastifyInstance, { deps }: RouteContext): void {
  let busy = false;
  const run = async (): Promise<Result<AuditReport, Refused>> => {
    if (busy) return err(unavailable('an audit is under way'));
    busy = true;
    try {
      const { journal, counters } = deps.queue.state;
      const violations = await leasedAmiss(deps.queue.state);
      const found = await deps.audit({ seq: journal.last, totals: counters.sum(), violations });
      return found.ok ? found : err({ status: 500, code: 'internal', message: found.error });
    } finally {
      busy = false;
    }
  };
  app.get('/v1/audit', async (request, reply) => {
    const query = checkRequest(noQuery, request.query);
    const found = query.ok ? await run() : query;
    return answer(reply, found.ok ? ok(found.value) : found);
  });
}
