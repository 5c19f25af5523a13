/** `POST /v1/messages`: one message to the injector; 202 means that it is durable. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { err, ok, type Result } from '../core/index.ts';
import type { Injected, InjectionRefusal } from '../mta/ingress/index.ts';
import { callerOf } from './caller.ts';
import type { ApiDependencies, Log, RouteContext } from './dependencies.ts';
import { contentOf, digestOf, labelsOf, originOf } from './labels.ts';
import { answer, fromInjection, invalid, type Refused, unavailable } from './refused.ts';
import { logOf } from './request-log.ts';
import { type MessageBody, messageBody } from './schemas.ts';
import { checkRequest } from './shape.ts';

/** Base64 takes a third more, JSON escapes some; the rest is room for labels and recipients. */
export const messageBodyLimit = (maxMessageBytes: number): number =>
  Math.ceil(maxMessageBytes * 1.4) + 1024 * 1024;

/** Fields as the injector calls them, and as the body does. */
const NAMES = { from: 'envelope.from', to: 'envelope.to' };

export interface AcceptedMessage {
  readonly message_id: string;
  readonly deliveries: readonly { readonly id: string; readonly recipient: string }[];
  readonly rejected: readonly { readonly recipient: string; readonly message: string }[];
}

export function addMessages(app: FastifyInstance, { deps }: RouteContext): void {
  app.post('/v1/messages', async (request, reply) => {
    const body = checkRequest(messageBody, request.body);
    if (!body.ok) return answer(reply, body);
    return answer(reply, await inject(deps, body.value, request), 202);
  });
}

async function inject(
  deps: ApiDependencies,
  body: MessageBody,
  request: FastifyRequest,
): Promise<Result<AcceptedMessage, Refused>> {
  const content = contentOf(body);
  if (!content.ok) return err(invalid([content.error]));
  const { from, to } = body.envelope;
  const labels = labelsOf(body, deps.clock.now(), callerOf(request));
  if (!labels.ok) return labels;
  const facts = { from, to, labels: labels.value, origin: originOf(request), digest: digestOf(body) };
  const injecting = Buffer.isBuffer(content.value)
    ? deps.injector.inject({ ...facts, content: content.value })
    : deps.injector.compose({
        ...facts,
        parts: content.value,
        missing: body.missing,
        defaults: body.defaults,
      });
  const injected = await orUnavailable(logOf(deps, request), injecting, NAMES);
  return injected.ok ? acceptedOf(injected.value) : injected;
}

/** A rejected promise of the injector means that the store refused, and nothing was stored. */
export async function orUnavailable<T>(
  log: Log,
  injecting: Promise<Result<T, InjectionRefusal>>,
  names: Readonly<Record<string, string>> = {},
): Promise<Result<T, Refused>> {
  try {
    const result = await injecting;
    return result.ok ? result : err(fromInjection(result.error, names));
  } catch (error) {
    log.error({ err: error }, 'the store did not take a message');
    return err(unavailable('the store does not take mail now'));
  }
}

function acceptedOf({ messageId, deliveries, rejected }: Injected): Result<AcceptedMessage, Refused> {
  const refused = rejected.map(({ recipient, text }) => ({ recipient, message: text }));
  if (deliveries.length > 0) return ok({ message_id: messageId, deliveries, rejected: refused });
  const problems = refused.map(({ recipient, message }) => ({
    field: 'envelope.to',
    message: `${recipient}: ${message}`,
  }));
  return err(invalid(problems));
}
