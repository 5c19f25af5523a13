/**
 * `/v1/stop-list`: who is not mailed. `GET` lists in pages, or says what stops one recipient; `POST` adds and `DELETE`
 * removes up to 5,000 entries. Every entry of a request is stored, or named in `rejected`.
 */
import type { FastifyInstance } from 'fastify';
import { err, ok, type Result } from '../core/index.ts';
import { parseTime } from '../mta/ingress/index.ts';
import { type StopEntry, type StopKey, stopTarget } from '../queue/index.ts';
import { accountFor } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { ApiDependencies, Log, RouteContext } from './dependencies.ts';
import { answer, type FieldProblem, invalid, type Refused, unavailable } from './refused.ts';
import { logOf } from './request-log.ts';
import {
  stopListBody,
  stopListEntry,
  stopListKey,
  stopListQuery,
  type StopListQueryBody,
} from './schemas-stop-list.ts';
import { check, checkRequest } from './shape.ts';

export interface StopEntryView {
  readonly address?: string | undefined;
  readonly domain?: string | undefined;
  readonly pattern?: string | undefined;
  readonly account_id?: string | undefined;
  readonly source: string;
  readonly reason?: string | undefined;
  readonly added: string;
  readonly expires?: string | undefined;
}

export interface StopListView {
  readonly entries: readonly StopEntryView[];
  readonly next?: string | undefined;
}

export interface StopListChange {
  readonly added?: number;
  readonly removed?: number;
  readonly rejected: readonly { readonly index: number; readonly field: string; readonly message: string }[];
}

export function addStopList(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/stop-list', (request, reply) => {
    const query = checkRequest(stopListQuery, request.query);
    if (!query.ok) return answer(reply, query);
    const account = accountFor(callerOf(request), query.value.account_id);
    if (!account.ok) return answer(reply, account);
    return answer(reply, ok(list(deps, { ...query.value, account_id: account.value })));
  });
  app.post('/v1/stop-list', async (request, reply) => {
    const body = checkRequest(stopListBody, request.body);
    if (!body.ok) return answer(reply, body);
    const given = body.value.entries.map((entry) => own(callerOf(request), entryOf(entry, deps.clock.now())));
    return answer(
      reply,
      await change(logOf(deps, request), given, async (entries) => {
        const added = await deps.queue.stopList.add(entries);
        return added.ok
          ? ok({ added: added.value })
          : err(invalid([{ field: 'entries', message: added.error }]));
      }),
    );
  });
  app.delete('/v1/stop-list', async (request, reply) => {
    const body = checkRequest(stopListBody, request.body);
    if (!body.ok) return answer(reply, body);
    const given = body.value.entries.map((entry) => own(callerOf(request), keyOf(entry)));
    return answer(
      reply,
      await change(logOf(deps, request), given, async (keys) =>
        ok({ removed: await deps.queue.stopList.remove(keys) }),
      ),
    );
  });
}

/** A token that is bound to accounts keeps to their part of the list. */
function own<T extends StopKey>(caller: Caller, entry: Result<T, FieldProblem>): Result<T, FieldProblem> {
  if (!entry.ok) return entry;
  const account = accountFor(caller, entry.value.accountId);
  if (!account.ok) return err({ field: 'account_id', message: account.error.message });
  return ok({ ...entry.value, accountId: account.value });
}

function entryOf(given: unknown, now: number): Result<StopEntry, FieldProblem> {
  const entry = check(stopListEntry, given);
  if (!entry.ok) return err(entry.error[0]!);
  const { source, reason, expires, ...target } = entry.value;
  const key = keyOf(target);
  if (!key.ok) return key;
  const expiresAt = expires === undefined ? undefined : parseTime(expires, now);
  return ok({ ...key.value, source, reason, at: now, expiresAt });
}

function keyOf(given: unknown): Result<StopKey, FieldProblem> {
  const key = check(stopListKey, given);
  if (!key.ok) return err(key.error[0]!);
  const { account_id: accountId, ...kinds } = key.value;
  const kind = (['address', 'domain', 'pattern'] as const).find((name) => kinds[name] !== undefined)!;
  const target = stopTarget(kind, kinds[kind]!);
  return target.ok ? ok({ ...target.value, accountId }) : err({ field: kind, message: target.error });
}

async function change<T>(
  log: Log,
  given: readonly Result<T, FieldProblem>[],
  apply: (valid: readonly T[]) => Promise<Result<Omit<StopListChange, 'rejected'>, Refused>>,
): Promise<Result<StopListChange, Refused>> {
  const valid = given.flatMap((one) => (one.ok ? [one.value] : []));
  const rejected = given.flatMap((one, index) => (one.ok ? [] : [{ index, ...one.error }]));
  try {
    const applied = await apply(valid);
    return applied.ok ? ok({ ...applied.value, rejected }) : applied;
  } catch (error) {
    log.error({ err: error }, 'the store did not take entries of the stop list');
    return err(
      unavailable(
        'the store takes nothing now (postrider status says why); a part of the entries may be stored: send them again',
      ),
    );
  }
}

function list({ queue }: ApiDependencies, query: StopListQueryBody): StopListView {
  const { recipient, kind, account_id: accountId, source, cursor, limit } = query;
  if (recipient !== undefined) {
    const entry = queue.stopList.find(recipient, accountId);
    return { entries: entry ? [entryView(entry)] : [] };
  }
  const { entries, next } = queue.stopList.list({ kind, accountId, source, cursor, limit });
  return { entries: entries.map(entryView), next };
}

export const entryView = ({
  kind,
  value,
  accountId,
  source,
  reason,
  at,
  expiresAt,
}: StopEntry): StopEntryView => ({
  [kind]: value,
  account_id: accountId,
  source,
  reason,
  added: new Date(at).toISOString(),
  expires: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString(),
});
