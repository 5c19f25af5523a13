/** What operators do with nodes (lock, unlock, drain, resume, disable), and the locks with the replies that caused them. */
import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { err, ok, parseDuration, type Result } from '../core/index.ts';
import type { EgressView, Lock, NodeControls } from '../mta/egress/index.ts';
import type { RouteContext } from './dependencies.ts';
import { label } from './fields.ts';
import { answer, invalid, notFound, type Refused } from './refused.ts';
import { noBody, noQuery } from './schemas.ts';
import { checkRequest, instead } from './shape.ts';

export interface LockView {
  readonly id: string;
  readonly scope: string;
  readonly node?: string | undefined;
  readonly sender?: string | undefined;
  readonly isp?: string | undefined;
  readonly lane?: string | undefined;
  /** Name of the lock rule; absent when it was set by hand. */
  readonly rule?: string | undefined;
  /** locked, or probing: its time is over and one delivery goes first. */
  readonly state: 'locked' | 'probing';
  readonly since: string;
  readonly until?: string | undefined;
  readonly seconds_left?: number | undefined;
  readonly level: number;
  readonly waiting: string;
  readonly reason: string;
  readonly reply?: object | undefined;
}

const duration = z
  .string()
  .refine((text) => (parseDuration(text) ?? 0) > 0, 'is no duration such as 30m or 2h')
  .transform((text) => parseDuration(text)!);

export const lockBody = z.strictObject({
  isp: label.optional(),
  duration: duration.optional(),
  waiting: z.enum(['wait', 'move']).optional(),
  reason: z.string().max(200, 'is longer than 200 characters').optional(),
});
export const unlockBody = z.strictObject({ isp: label.optional() }).nullish();
export const nodePath = z.strictObject({ name: label });
export const lockPath = z.strictObject({ id: label });

export function lockView({ id, record }: Lock, now: number): LockView {
  const { since, until, ...rest } = record;
  const locked = until === undefined || now < until;
  return {
    id,
    ...rest,
    state: locked ? 'locked' : 'probing',
    since: new Date(since).toISOString(),
    ...(until !== undefined && {
      until: new Date(until).toISOString(),
      seconds_left: Math.max(0, Math.ceil((until - now) / 1000)),
    }),
  };
}

type Done = Result<object, Refused>;
type Verb = (egress: EgressView, node: string, body: unknown) => Promise<Done>;

const withoutBody =
  (run: (control: NodeControls, node: string) => Promise<void>): Verb =>
  async ({ control }, node, body) => {
    const checked = checkRequest(noBody, body);
    if (!checked.ok) return checked;
    await run(control, node);
    return ok({ node });
  };

const VERBS: Readonly<Record<string, Verb>> = {
  lock: async (egress, node, body) => {
    const checked = checkRequest(lockBody, body ?? {});
    if (!checked.ok) return checked;
    const { duration: durationMs, ...wish } = checked.value;
    const wrong = wish.isp === undefined ? undefined : noSuchIsp(egress, wish.isp, node);
    if (wrong !== undefined) return err(invalid([{ field: 'isp', message: wrong }]));
    await egress.control.lock(node, { ...wish, durationMs });
    return ok({ node });
  },
  unlock: async ({ control }, node, body) => {
    const checked = checkRequest(unlockBody, body);
    return checked.ok ? ok({ node, lifted: await control.unlock(node, checked.value?.isp) }) : checked;
  },
  drain: withoutBody((control, node) => control.drain(node)),
  resume: withoutBody((control, node) => control.resume(node)),
  disable: withoutBody((control, node) => control.disable(node)),
};

const REST = 'other';
/** The key of a lane, as `node list` shows it. */
const LANE = /^(?:mx|isp):/;

/**
 * A lock of a name that is misspelt would stop nothing, and nobody would know; nor would who asks about it learn that it
 * is wrong. Without a node: of any node.
 */
export function noSuchIsp(egress: EgressView, isp: string, node?: string): string | undefined {
  if (LANE.test(isp)) return undefined;
  const known = new Set(egress.speeds({ node }).map((row) => row.isp));
  // A node of no sender has none.
  if (known.size === 0 || (isp !== REST && known.has(isp))) return undefined;
  if (isp === REST)
    return 'is counted by mail hosts: name those of one, such as mx:mx.example.net (node list)';
  known.delete(REST);
  return `${isp} is not configured${instead(isp, [...known])}`;
}

export function addNodes(app: FastifyInstance, { deps }: RouteContext): void {
  const { control } = deps.egress;
  for (const [verb, run] of Object.entries(VERBS))
    app.post(`/v1/nodes/:name/${verb}`, async (request, reply) => {
      const path = checkRequest(nodePath, request.params);
      if (!path.ok) return answer(reply, path);
      const { name } = path.value;
      const names = deps.egress.nodeFigures().map((node) => node.name);
      if (!names.includes(name))
        return answer(reply, err(notFound(`there is no node ${name}${instead(name, names)}`)));
      const done = await run(deps.egress, name, request.body);
      if (!done.ok) return answer(reply, done);
      const state = deps.egress.nodeFigures().find((node) => node.name === name)?.state;
      return answer(reply, ok({ ...done.value, state }));
    });
  app.get('/v1/locks', (request, reply) => {
    const query = checkRequest(noQuery, request.query);
    const locks = control.locks().map((lock) => lockView(lock, deps.clock.now()));
    return answer(reply, query.ok ? ok({ locks }) : query);
  });
  app.delete('/v1/locks/:id', async (request, reply) => {
    const path = checkRequest(lockPath, request.params);
    if (!path.ok) return answer(reply, path);
    const lifted = await control.lift(path.value.id);
    return answer(reply, lifted > 0 ? ok({ lifted }) : err(notFound(`there is no lock ${path.value.id}`)));
  });
}
