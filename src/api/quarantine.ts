/** `GET /v1/queue/quarantine`, `POST /v1/queue/quarantine/release|remove`: deliveries that are damaged and set aside. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { deliveryIdOf, ok, parseDeliveryId } from '../core/index.ts';
import {
  findDelivery,
  type Place,
  type Quarantined,
  type QuarantineRefusal,
  releaseQuarantined,
  removeQuarantined,
} from '../queue/index.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { answer, unavailable } from './refused.ts';
import {
  quarantineBody,
  type QuarantineChange,
  type QuarantinedView,
  quarantineQuery,
  type QuarantineView,
} from './schemas-quarantine.ts';
import { checkRequest } from './shape.ts';

export function addQuarantine(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/queue/quarantine', (request, reply) => {
    const query = checkRequest(quarantineQuery, request.query);
    return answer(reply, query.ok ? ok(list(deps, query.value)) : query);
  });
  app.post('/v1/queue/quarantine/release', changing(deps, release));
  app.post('/v1/queue/quarantine/remove', changing(deps, remove));
}

function list({ queue }: ApiDependencies, { after, limit }: { after?: string | undefined; limit: number }) {
  const found = queue.quarantine.list(after === undefined ? undefined : parseDeliveryId(after), limit);
  const deliveries = found.map((one) => viewOf(queue, one));
  const next = found.length === limit ? deliveries.at(-1)?.delivery_id : undefined;
  return { quarantined: queue.quarantine.count, deliveries, next } satisfies QuarantineView;
}

function viewOf(
  queue: ApiDependencies['queue'],
  { number, index, at, reason, row }: Quarantined,
): QuarantinedView {
  const known = recordOf(queue, { number, index });
  return {
    delivery_id: deliveryIdOf(number, index),
    reason,
    since: new Date(at).toISOString(),
    recipient: known?.record.recipient,
    domain: row?.domain,
    sender: known?.record.sender ?? row?.sender,
    node: known?.record.node ?? row?.node,
    account_id: known?.message.accountId ?? (row?.account || undefined),
    campaign_id: known?.message.campaignId ?? (row?.campaign || undefined),
  };
}

function recordOf(
  queue: ApiDependencies['queue'],
  { number, index }: Place,
): ReturnType<typeof findDelivery> {
  try {
    return findDelivery(queue.state, number, index);
  } catch {
    return undefined;
  }
}

type Change = (deps: ApiDependencies, places: readonly Place[]) => Promise<readonly QuarantineRefusal[]>;

async function release({ queue }: ApiDependencies, places: readonly Place[]): Promise<QuarantineRefusal[]> {
  const refusals = await Promise.all(places.map((place) => releaseQuarantined(queue.state, place)));
  return refusals.filter((refusal) => refusal !== undefined);
}

const remove: Change = ({ queue }, places) => removeQuarantined(queue.state, places);

const changing =
  (deps: ApiDependencies, change: Change) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const body = checkRequest(quarantineBody, request.body ?? {});
    if (!body.ok) return answer(reply, body);
    const places = body.value.delivery_ids.map((id) => parseDeliveryId(id)!);
    try {
      const refused = await change(deps, places);
      return answer(reply, ok({ done: places.length - refused.length, refused: refused.map(refusalView) }));
    } catch (error) {
      deps.log.error({ err: error, request: request.id }, 'a change of the quarantine could not be stored');
      return answer(reply, {
        ok: false,
        error: unavailable('the queue cannot store it now, try again later'),
      });
    }
  };

const refusalView = ({ number, index, reason }: QuarantineRefusal): QuarantineChange['refused'][number] => ({
  delivery_id: deliveryIdOf(number, index),
  message: reason,
});
