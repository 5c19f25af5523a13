/**
 * The log of operators: every call of the scopes `operate` and `admin` that changes something is written down before it
 * is run, and completed with its result before the answer is sent. What cannot be written down is not done. So are
 * limits of a batch that change those that stand (campaign-limits.ts).
 * `GET /v1/audit-log` shows it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { err, ok } from '../core/index.ts';
import { MAX_LABEL } from '../mta/ingress/index.ts';
import { type OperatorEntry, type OperatorResult, parseEntryId } from '../queue/index.ts';
import type { Call } from './call.ts';
import { callerOf } from './caller.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { label, wholeNumber } from './fields.ts';
import { answer, invalid, refuse, unavailable } from './refused.ts';
import { checkRequest, instead } from './shape.ts';

const MOST_CHARS = 2_000;
const NAMED_ENTRIES = 3;

export const auditLogQuery = z.strictObject({
  actor: label.optional().describe('Name of the token, user or session.'),
  action: label.optional().describe('Such as `queue hold`.'),
  cursor: z
    .string()
    .refine((id) => parseEntryId(id) !== undefined, 'is not the `next` of a page')
    .optional(),
  limit: wholeNumber(1, 1000).default(100),
});

export interface AuditLogEntryView {
  readonly id: string;
  readonly time: string;
  readonly actor: { readonly kind: string; readonly name: string; readonly address?: string | undefined };
  readonly action: string;
  readonly selector: Readonly<Record<string, unknown>>;
  readonly count?: number | undefined;
  readonly job?: string | undefined;
  readonly result: OperatorEntry['result'];
  readonly message?: string | undefined;
}

export interface AuditLogView {
  /** The newest first. */
  readonly entries: readonly AuditLogEntryView[];
  readonly next?: string | undefined;
}

/** `known`: every action there is. */
export function addAuditLog(app: FastifyInstance, { deps }: RouteContext, known: readonly string[]): void {
  app.get('/v1/audit-log', (request, reply) => {
    const query = checkRequest(auditLogQuery, request.query);
    if (!query.ok) return answer(reply, query);
    const { actor: name, cursor: before, action, limit } = query.value;
    const { entries, next } = deps.queue.operatorLog.list({ name, action, before, limit });
    // Older versions may have had others: what is in the log is shown.
    if (entries.length === 0 && action !== undefined && !known.includes(action))
      return answer(reply, err(invalid([{ field: 'action', message: noSuchAction(action, known) }])));
    return answer(reply, ok({ entries: entries.map(entryView), next }));
  });
}

const noSuchAction = (action: string, known: readonly string[]): string =>
  `no operator has done that: expected one of ${known.join(', ')}${instead(action, known)}`;

const entryView = ({ at, operator, ...entry }: OperatorEntry): AuditLogEntryView => ({
  ...entry,
  time: new Date(at).toISOString(),
  actor: operator,
});

const entries = new WeakMap<object, number>();

/** Number of the entry that a request has in the log. */
export const entryOf = (request: FastifyRequest): number | undefined => entries.get(request.raw);

/** Before the routes are added. `callOf` finds what a route is described as. */
export function logOperators(
  app: FastifyInstance,
  { queue, log }: ApiDependencies,
  callOf: (request: FastifyRequest) => Call | undefined,
): void {
  app.addHook('preHandler', async (request, reply) => {
    const { action, path } = callOf(request) ?? {};
    if (action === undefined || isDryRun(path, request.body)) return;
    const { kind, name, address } = callerOf(request);
    try {
      const operator = { kind, name, address };
      entries.set(
        request.raw,
        await queue.operatorLog.begin({ operator, action, selector: selectorOf(request) }),
      );
    } catch (error) {
      log.error(
        { err: error, request: request.id, action },
        'an action of an operator could not be written down, so it is not done',
      );
      await refuse(
        reply,
        unavailable('the store takes nothing now, so the action was not done; postrider status says why'),
      );
    }
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const number = entryOf(request);
    if (number === undefined) return payload;
    const given = parse(payload);
    const result = resultOf(reply, given);
    const { kind, name } = callerOf(request);
    // Whose mail it was about, and the words of a refusal, may name a recipient: they are in the log of operators only.
    const { message: _, ...told } = result;
    const { code } = objectOf(given['error']);
    log.info(
      { request: request.id, entry: number, by: name || kind, ...told, code, target: targetOf(request) },
      `operator: ${callOf(request)?.action ?? ''} ${result.result}`,
    );
    try {
      await queue.operatorLog.end(number, result);
    } catch (error) {
      log.error(
        { err: error, request: request.id, entry: number },
        'the result of an action could not be written down',
      );
    }
    return payload;
  });
}

/** Other calls have no `dry_run`: one that does not look at its body would be done and not written down. */
const isDryRun = (path: string | undefined, body: unknown): boolean =>
  path?.startsWith('/v1/queue/') === true &&
  typeof body === 'object' &&
  body !== null &&
  (body as { dry_run?: unknown }).dry_run === true;

/** What the request names: its path, its selector wherever it stands, its target. */
function namedBy({ params, body }: FastifyRequest): Record<string, unknown> {
  const { dry_run: _, selector, ...rest } = objectOf(body);
  return { ...objectOf(params), ...rest, ...objectOf(selector) };
}

/** Names of the operator's own things: of a node (`name` in the path), a lock or a campaign (`id`). */
const NO_DATA_OF_RECIPIENTS = ['name', 'id', 'node', 'sender', 'isp', 'campaign_id', 'account_id'];

/** What may be in the log. A refused request may have anything in any field, so what may be an address is left out. */
const targetOf = (request: FastifyRequest): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(namedBy(request)).filter(
      ([field, value]) =>
        NO_DATA_OF_RECIPIENTS.includes(field) &&
        typeof value === 'string' &&
        value.length <= MAX_LABEL &&
        !value.includes('@'),
    ),
  );

/** Of long lists the first few. */
function selectorOf(request: FastifyRequest): Record<string, unknown> {
  const all = namedBy(request);
  const list = all['entries'];
  const short = Array.isArray(list)
    ? { ...all, entries: list.slice(0, NAMED_ENTRIES), of: list.length }
    : all;
  const text = JSON.stringify(short);
  return text.length <= MOST_CHARS ? short : { text: text.slice(0, MOST_CHARS) };
}

const objectOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};

const COUNTS = ['matched', 'lifted', 'added', 'removed'];

function resultOf({ statusCode }: FastifyReply, given: Readonly<Record<string, unknown>>): OperatorResult {
  if (statusCode >= 400) {
    const message = objectOf(given['error'])['message'];
    return {
      result: statusCode < 500 ? 'refused' : 'failed',
      message: typeof message === 'string' ? message : String(statusCode),
    };
  }
  const count = COUNTS.map((name) => given[name]).find((value) => typeof value === 'number');
  const job = given['job'];
  return { result: 'done', count, job: typeof job === 'string' ? job : undefined };
}

function parse(payload: unknown): Record<string, unknown> {
  try {
    return typeof payload === 'string' ? objectOf(JSON.parse(payload)) : {};
  } catch {
    return {};
  }
}
