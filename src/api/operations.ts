/**
 * `POST /v1/queue/hold|release|purge|retry|move|change` and `GET /v1/jobs/:id`. The first answer comes soon, whatever
 * the size of the queue: what is not done by then goes on by itself.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { domainOf, err, ok, parseDuration, type Result, toAsciiDomain } from '../core/index.ts';
import {
  HoldStands,
  type JobRecord,
  type Mark,
  type Operation,
  OperationRefused,
  type OperationRequest,
  type Selector,
} from '../queue/index.ts';
import { entryOf } from './audit-log.ts';
import { isBound, ownsSelector, selectorFor, senderFor } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { heldBySomebodyElse, jobView, type JobView, operationText } from './operation-view.ts';
import { answer, invalid, notFound, type Refused, unavailable } from './refused.ts';
import { logOf } from './request-log.ts';
import {
  changeBody,
  jobPath,
  moveBody,
  type SelectorBody,
  selectorOf,
  simpleBody,
} from './schemas-operations.ts';
import { noQuery } from './schemas.ts';
import { checkRequest, instead } from './shape.ts';

/** How long an answer waits for the job to be done. */
const WAIT_MS = 50;
const LOOK_MS = 5;
/** A sender's nodes by weight, in this many parts. */
const PARTS = 100;

interface Asked {
  readonly selector: SelectorBody;
  readonly dryRun: boolean;
  readonly operation: Result<Operation, Refused>;
}

export function addOperations(app: FastifyInstance, { deps }: RouteContext): void {
  app.post('/v1/queue/hold', operating(deps, simple('hold')));
  app.post('/v1/queue/release', operating(deps, simple('release')));
  app.post('/v1/queue/purge', operating(deps, simple('purge')));
  app.post('/v1/queue/retry', operating(deps, simple('retry')));
  app.post(
    '/v1/queue/move',
    operating(deps, (body, caller) => {
      const checked = checkRequest(moveBody, body);
      if (!checked.ok) return checked;
      return ok(asked(checked.value, moveTo(deps, caller, checked.value.target)));
    }),
  );
  app.post(
    '/v1/queue/change',
    operating(deps, (body, caller) => {
      const checked = checkRequest(changeBody, body);
      if (!checked.ok) return checked;
      return ok(asked(checked.value, changeTo(deps, caller, checked.value.target)));
    }),
  );
  app.get('/v1/jobs/:id', async (request, reply) => {
    const path = checkRequest(jobPath, request.params);
    return answer(reply, path.ok ? await job(deps, Number(path.value.id), callerOf(request)) : path);
  });
  app.get('/v1/jobs', (request, reply) => {
    const query = checkRequest(noQuery, request.query);
    const own = deps.queue.operations
      .list()
      .filter(({ selector }) => ownsSelector(callerOf(request), selector));
    const jobs = own.map((record) => jobView(record, false));
    return answer(reply, query.ok ? ok({ jobs }) : query);
  });
}

type Read = (body: unknown, caller: Caller) => Result<Asked, Refused>;

const simple =
  (op: 'hold' | 'release' | 'purge' | 'retry'): Read =>
  (body) => {
    const checked = checkRequest(simpleBody, body);
    return checked.ok ? ok(asked(checked.value, ok({ op }))) : checked;
  };

const operating =
  (deps: ApiDependencies, read: Read) =>
  async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const caller = callerOf(request);
    const body = read(request.body ?? {}, caller);
    if (!body.ok) return answer(reply, body);
    const { operation, dryRun, selector } = body.value;
    if (!operation.ok) return answer(reply, operation);
    const given = selectorFor(caller, selector);
    if (!given.ok) return answer(reply, given);
    const { value: wanted } = operation;
    const chosen = selectorFrom(given.value, deps.clock.now());
    const owns = isBound(caller) ? (one: Selector): boolean => ownsSelector(caller, one) : undefined;
    const what = { operation: wanted, selector: chosen, text: operationText(wanted, chosen), owns };
    const refusal = (hold: Mark): Refused => heldBySomebodyElse(hold, { caller, op: wanted.op });
    if (dryRun) return answer(reply, await counted(deps, what, refusal));
    const by = caller.name === '' ? undefined : caller.name;
    const sources = { queue: deps.queue, log: logOf(deps, request) };
    return answer(reply, await started(sources, { ...what, entry: entryOf(request), by }, refusal), 202);
  };

const asked = (
  body: Parameters<typeof selectorOf>[0] & { readonly dry_run?: boolean | undefined },
  operation: Result<Operation, Refused>,
): Asked => ({ selector: selectorOf(body), dryRun: body.dry_run === true, operation });

function selectorFrom(body: SelectorBody, now: number): Selector {
  const {
    account_id: account,
    campaign_id: campaign,
    older_than: age,
    all: _,
    domain,
    recipient,
    ...names
  } = body;
  const selector: Selector = {
    ...pickNames(names),
    account,
    campaign,
    domain: domain === undefined ? undefined : toAsciiDomain(domain),
    recipient: recipient === undefined ? undefined : normal(recipient),
    before: age === undefined ? undefined : now - parseDuration(age)!,
  };
  return Object.fromEntries(Object.entries(selector).filter(([, value]) => value !== undefined));
}

const pickNames = ({ sender, node, isp }: Pick<SelectorBody, 'sender' | 'node' | 'isp'>): Selector => ({
  sender,
  node,
  isp,
});

/** The domain as an A-label, as the queue has it. */
const normal = (address: string): string =>
  `${address.slice(0, address.lastIndexOf('@'))}@${toAsciiDomain(domainOf(address))}`;

/** What to say when a hold stands. */
type Refusal = (hold: Mark) => Refused;

async function counted(
  { queue, clock }: ApiDependencies,
  request: OperationRequest,
  refusal: Refusal,
): Promise<Result<JobView, Refused>> {
  const { owns } = request;
  const keeper = owns && queue.state.holds.keeperOf(request, owns);
  if (keeper) return err(refusal(keeper));
  const count = queue.operations.count(request);
  const until = clock.mono() + WAIT_MS;
  while (!count.step() && clock.mono() < until) await turn();
  return ok(jobView(count.record, true));
}

async function started(
  { queue, log }: Pick<ApiDependencies, 'queue' | 'log'>,
  request: OperationRequest,
  refusal: Refusal,
): Promise<Result<JobView, Refused>> {
  const deadline = AbortSignal.timeout(WAIT_MS);
  try {
    let record = await queue.operations.submit(request);
    while (record.state !== 'done' && !deadline.aborted) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      record = queue.operations.get(record.id) ?? record;
    }
    return ok(jobView(record, false));
  } catch (error) {
    if (error instanceof HoldStands) return err(refusal(error.hold));
    if (error instanceof OperationRefused) return err(unavailable(error.message));
    log.error({ err: error }, 'an operation on the queue could not be stored');
    return err(unavailable('the queue cannot store the operation now, try again later'));
  }
}

async function job(
  { queue, clock }: ApiDependencies,
  id: number,
  caller: Caller,
): Promise<Result<JobView, Refused>> {
  const count = queue.operations.counted(id);
  const until = clock.mono() + WAIT_MS;
  while (count && !count.step() && clock.mono() < until) await turn();
  const record: JobRecord | undefined = queue.operations.get(id);
  return record && ownsSelector(caller, record.selector)
    ? ok(jobView(record, count !== undefined))
    : err(notFound(`no job ${id} is known: it never was, or is forgotten by now`));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Target = { readonly node?: string | undefined; readonly sender?: string | undefined };

function moveTo(deps: ApiDependencies, caller: Caller, { node, sender }: Target): Result<Operation, Refused> {
  if (sender !== undefined) return toSender(deps, caller, { op: 'move', name: sender });
  const names = nodesFor(deps, caller);
  return names.includes(node!) ? ok({ op: 'move', node: node! }) : err(unknownTarget('node', node!, names));
}

/** A token that is bound to senders moves its mail to no node but theirs. */
function nodesFor(deps: ApiDependencies, { senders: own }: Caller): readonly string[] {
  const { nodes, senders } = deps.targets();
  if (!own) return nodes;
  const theirs = senders.filter(({ name }) => own.includes(name)).flatMap((sender) => sender.nodes);
  return nodes.filter((name) => theirs.some(({ node }) => node === name));
}

function changeTo(
  deps: ApiDependencies,
  caller: Caller,
  { band, sender }: { readonly band?: 'priority' | 'geo' | 'standard' | undefined } & Target,
): Result<Operation, Refused> {
  return band === undefined
    ? toSender(deps, caller, { op: 'change', name: sender! })
    : ok({ op: 'change', band });
}

function toSender(
  deps: ApiDependencies,
  caller: Caller,
  { op, name }: { readonly op: 'move' | 'change'; readonly name: string },
): Result<Operation, Refused> {
  const allowed = senderFor(caller, name);
  if (!allowed.ok) return allowed;
  const { senders } = deps.targets();
  const sender = senders.find((one) => one.name === name);
  if (!sender)
    return err(
      unknownTarget(
        'sender',
        name,
        senders.map((one) => one.name),
      ),
    );
  const weights = sender.nodes.reduce((sum, { weight }) => sum + weight, 0);
  const nodes = sender.nodes.flatMap(({ node, weight }) =>
    Array.from({ length: Math.max(1, Math.round((weight / weights) * PARTS)) }, () => node),
  );
  return ok({ op, sender: name, nodes });
}

const unknownTarget = (kind: 'node' | 'sender', name: string, known: readonly string[]): Refused =>
  invalid([
    {
      field: `target.${kind}`,
      message: `no such ${kind}${instead(name, known)}; you may name ${known.join(', ') || 'none'}`,
    },
  ]);
