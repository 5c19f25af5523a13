/** `GET /v1/messages/:id/content`, `/v1/deliveries/:id/content`: the mail itself, as long as a delivery needs it. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { err, messageNumberOf, ok, parseDeliveryId, type Result } from '../core/index.ts';
import { recipientContent } from '../mta/egress/index.ts';
import { contentOf, findDelivery } from '../queue/index.ts';
import { ownsDelivery } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { MAIL } from './call.ts';
import { ownDeliveries } from './own-deliveries.ts';
import { answer, notFound, type Refused } from './refused.ts';
import { deliveryPath, messagePath, noQuery } from './schemas.ts';
import { checkRequest } from './shape.ts';

export function addContent(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/messages/:id/content', async (request, reply) => {
    const path = checkRequest(messagePath, request.params);
    const query = checkRequest(noQuery, request.query);
    if (!path.ok) return answer(reply, path);
    return query.ok
      ? send(reply, await ofMessage(deps, path.value.id, callerOf(request)))
      : answer(reply, query);
  });
  app.get('/v1/deliveries/:id/content', (request, reply) => {
    const path = checkRequest(deliveryPath, request.params);
    const query = checkRequest(noQuery, request.query);
    if (!path.ok) return answer(reply, path);
    return query.ok ? send(reply, ofDelivery(deps, path.value.id, callerOf(request))) : answer(reply, query);
  });
}

const send = (reply: FastifyReply, content: Result<Buffer, Refused>): FastifyReply =>
  content.ok ? reply.type(MAIL).send(content.value) : answer(reply, content);

/** As it was accepted. */
async function ofMessage(
  { queue }: ApiDependencies,
  id: string,
  caller: Caller,
): Promise<Result<Buffer, Refused>> {
  const number = messageNumberOf(id)!;
  const [own] = (await ownDeliveries(queue, caller, { number, limit: 1 })).own;
  if (!own) return err(notFound(`no message ${id} is queued or in the history`));
  if (own.message.kind === 'campaign') {
    const message = `message ${id} has a content for each recipient: ask for that of a delivery, such as ${own.id}`;
    return err(notFound(message));
  }
  return stored(queue, number, `message ${id}`);
}

/** As the recipient gets it, before what an attempt adds. */
function ofDelivery({ queue }: ApiDependencies, id: string, caller: Caller): Result<Buffer, Refused> {
  const { number, index } = parseDeliveryId(id)!;
  const found = findDelivery(queue.state, number, index);
  if (!found || !ownsDelivery(caller, found))
    return err(notFound(`no delivery ${id} is queued or in the history`));
  const content = stored(queue, number, `delivery ${id}`);
  return content.ok ? ok(recipientContent({ ...found, content: content.value })) : content;
}

function stored({ state }: ApiDependencies['queue'], number: number, whose: string): Result<Buffer, Refused> {
  const content = contentOf(state, number);
  if (content.ok) return content;
  const why = content.error === 'over' ? 'is gone: no delivery needs it any more' : 'is damaged in the store';
  return err(notFound(`the content of ${whose} ${why}`));
}
