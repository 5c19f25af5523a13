/** `/v1/reports/quarantine`: mail to the MX that had no effect, kept for somebody to look at: list, fetch, remove. */
import type { FastifyInstance } from 'fastify';
import { err, ok } from '../core/index.ts';
import type { QuarantinedMail } from '../queue/index.ts';
import type { RouteContext } from './dependencies.ts';
import { answer, notFound, unavailable } from './refused.ts';
import { noQuery } from './schemas.ts';
import { keptMailBody, keptMailPath, keptMailQuery } from './schemas-reports.ts';
import { checkRequest } from './shape.ts';

export interface KeptMailView {
  readonly id: string;
  readonly reason: string;
  readonly received: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly peer: string;
  readonly helo: string;
  readonly bytes: number;
}

export interface ReportQuarantineView {
  readonly mails: readonly KeptMailView[];
  readonly next?: string | undefined;
  /** All there are. */
  readonly total: number;
  readonly total_bytes: number;
}

/** `content`: the mail as it came, in base64. */
export type KeptMailContent = KeptMailView & { readonly content: string };

export interface KeptMailRemoved {
  readonly removed: number;
}

export function addReportQuarantine(app: FastifyInstance, { deps }: RouteContext): void {
  const { inbox } = deps.queue;
  app.get('/v1/reports/quarantine', (request, reply) => {
    const query = checkRequest(keptMailQuery, request.query);
    if (!query.ok) return answer(reply, query);
    const { limit, cursor } = query.value;
    const mails = inbox.quarantined(limit, cursor);
    const next = mails.length === limit ? mails.at(-1)?.id : undefined;
    const { mails: total, bytes } = inbox.kept;
    return answer(reply, ok({ mails: mails.map(viewOf), next, total, total_bytes: bytes }));
  });
  app.get('/v1/reports/quarantine/:id', (request, reply) => {
    const params = checkRequest(keptMailPath, request.params);
    if (!params.ok) return answer(reply, params);
    const query = checkRequest(noQuery, request.query);
    if (!query.ok) return answer(reply, query);
    const mail = inbox.quarantinedMail(params.value.id);
    if (!mail) return answer(reply, err(notFound(`no mail ${params.value.id} is in the quarantine`)));
    return answer(reply, ok({ ...viewOf(mail), content: mail.raw.toString('base64') }));
  });
  app.delete('/v1/reports/quarantine', async (request, reply) => {
    const body = checkRequest(keptMailBody, request.body);
    if (!body.ok) return answer(reply, body);
    try {
      return await answer(reply, ok({ removed: await inbox.removeQuarantined(body.value.ids) }));
    } catch (error) {
      deps.log.error(
        { err: error, request: request.id },
        'the store did not remove mail from the quarantine',
      );
      return answer(reply, err(unavailable('the store takes nothing now; postrider status says why')));
    }
  });
}

const viewOf = ({ id, reason, at, from, to, peer, helo, bytes }: QuarantinedMail): KeptMailView => ({
  id,
  reason,
  received: new Date(at).toISOString(),
  from,
  to,
  peer,
  helo,
  bytes,
});
