/**
 * `POST /v1/batches`: JSON lines in, JSON lines out. The head of the answer waits for the first commit, so a batch
 * that cannot start is a plain 4xx or 503. After that a failure is a last line `{"error": ...}`; what was
 * acknowledged stays. A broken connection ends the batch at what was committed.
 */
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { err, ok, type Result } from '../core/index.ts';
import { type Batch, type BatchHeader, NoMailTaken, type RejectedLine } from '../mta/ingress/index.ts';
import { BatchChunks, MAX_LINE_BYTES } from './batch-chunks.ts';
import { limitsAllowed } from './bounds.ts';
import { callerOf } from './caller.ts';
import { setLimitsOfBatch } from './campaign-limits.ts';
import type { ApiDependencies, Log, RouteContext } from './dependencies.ts';
import type { LimitsBody } from './fields.ts';
import { type Cut, type InputLine, InputLines } from './input-lines.ts';
import { parseJson } from './json-body.ts';
import { contentOf, digestOf, labelsOf, originOf } from './labels.ts';
import { messageBodyLimit, orUnavailable } from './messages.ts';
import { NdjsonStream } from './ndjson-stream.ts';
import { errorBody, invalid, refuse, type Refused, tooLarge, unavailable } from './refused.ts';
import { logOf } from './request-log.ts';
import { noRoom, shareOf } from './room.ts';
import { batchHeader } from './schemas.ts';
import { checkRequest } from './shape.ts';

/** Acknowledgements may pile up while the caller still sends; many callers read only when they have sent all. */
const MAX_PENDING_BYTES = 1024 * 1024;
/** curl -d takes the line ends out, and then all lines are one. */
const FIRST_LINE = 'the first line (the header; with curl use --data-binary, not -d)';

interface Opened {
  readonly batch: Batch;
  readonly input: InputLines;
  /** Lines that came together with the header. */
  readonly rest: readonly InputLine[];
  /** What is held beside the lines that have not been given out. */
  readonly held: Held;
}

interface Held {
  /** Of the header, which is there until the batch is closed. */
  header: number;
  chunks: Pick<BatchChunks, 'heldBytes'>;
}

export function addBatches(app: FastifyInstance, context: RouteContext): void {
  app.post('/v1/batches', async (request, reply) => {
    const type = request.headers['content-type'];
    if (!type?.startsWith('application/x-ndjson')) return refuse(reply, unsupported(type));
    const body = (request.body as Readable | undefined) ?? request.raw;
    const opened = await open(context, body, request);
    if (opened.ok) await run(context, opened.value, reply);
    else refuse(reply, opened.error);
    return reply;
  });
}

const unsupported = (found: string | undefined): Refused => ({
  status: 415,
  code: 'unsupported_media_type',
  message: `a batch is sent as application/x-ndjson, not as ${found ?? 'nothing'}`,
});

async function open(
  { deps, closing }: RouteContext,
  body: Readable,
  request: FastifyRequest,
): Promise<Result<Opened, Refused>> {
  const headerLimit = messageBodyLimit(deps.maxMessageBytes);
  const known: { header?: number } = {};
  // Blank lines before the header count as lines, so the header is the first line that comes out.
  const limitOf = (line: number): number => (line === (known.header ?? line) ? headerLimit : MAX_LINE_BYTES);
  const share = shareOf(request);
  const held: Held = { header: 0, chunks: { heldBytes: 0 } };
  const mayHold = (bytes: number): boolean => share.hold(held.header + held.chunks.heldBytes + bytes);
  const input = new InputLines(body, { limitOf, closing, mayHold });
  const arrival = await input.next();
  if (arrival.kind === 'closing' || arrival.kind === 'full') return err(cutOff(arrival.kind));
  if (arrival.kind !== 'lines')
    return err(invalid([{ field: '', message: 'the batch is empty: the first line is its header' }]));
  const [first, ...rest] = arrival.lines as [InputLine, ...InputLine[]];
  known.header = first.number;
  if (!first.bytes) return err(tooLarge(headerLimit));
  held.header = first.bytes.length;
  const header = headerOf(deps, first.bytes, request);
  if (!header.ok) return header;
  const { limits, ...opening } = header.value;
  const allowed = limits ? limitsAllowed(callerOf(request)) : ok(undefined);
  if (!allowed.ok) return allowed;
  const log = logOf(deps, request);
  const batch = await orUnavailable(log, deps.injector.openBatch(opening));
  if (!batch.ok) return batch;
  // Before the first line is accepted, and not for a header that was refused. Where a line is committed they were set
  // once, and what an operator has made of them since stands.
  const { accountId: account = '', campaignId: campaign = '' } = opening.labels;
  const sets = limits !== undefined && !batch.value.resumed;
  const limited = sets
    ? await setLimitsOfBatch(
        { queue: deps.queue, egress: deps.egress, log, caller: callerOf(request) },
        { account, campaign },
        limits,
      )
    : ok(undefined);
  if (limited.ok) return ok({ batch: batch.value, input, rest, held });
  const closed = await orUnavailable(
    log,
    batch.value.close().then(() => ok(undefined)),
  );
  return closed.ok ? limited : closed;
}

const cutOff = (why: Cut): Refused => (why === 'full' ? noRoom() : unavailable('the server is closing'));

function headerOf(
  deps: ApiDependencies,
  bytes: Buffer,
  request: FastifyRequest,
): Result<BatchHeader & { readonly limits: LimitsBody | undefined }, Refused> {
  const json = parseJson(bytes, FIRST_LINE);
  if (!json.ok) return json;
  const body = checkRequest(batchHeader, json.value);
  if (!body.ok) return body;
  const content = contentOf(body.value);
  if (!content.ok) return err(invalid([content.error]));
  const from = body.value.from ?? body.value.envelope?.from ?? '';
  const labels = labelsOf(body.value, deps.clock.now(), callerOf(request));
  if (!labels.ok) return labels;
  const digest = digestOf(body.value);
  const { missing, defaults, limits } = body.value;
  const origin = originOf(request);
  return ok({
    from,
    content: content.value,
    missing,
    defaults,
    labels: labels.value,
    origin,
    digest,
    limits,
  });
}

/** The answer, whose head is sent with its first line. */
class BatchAnswer {
  readonly #reply: FastifyReply;
  #stream: NdjsonStream | undefined;

  constructor(reply: FastifyReply) {
    this.#reply = reply;
  }

  line(value: object): Promise<void> {
    this.#stream ??= new NdjsonStream(this.#reply, MAX_PENDING_BYTES);
    return this.#stream.line(value);
  }

  async end(last: Result<object, Refused>, through: number): Promise<void> {
    if (!last.ok && !this.#stream) {
      refuse(this.#reply, last.error);
      return;
    }
    await this.line(last.ok ? last.value : { ...errorBody(last.error), acked_through: through });
    this.#stream?.end();
  }
}

async function run({ deps }: RouteContext, opened: Opened, reply: FastifyReply): Promise<void> {
  const { batch } = opened;
  const log = logOf(deps, reply.request);
  const answer = new BatchAnswer(reply);
  const chunks = new BatchChunks(
    batch,
    () => deps.clock.now(),
    (ack) => answer.line(ack),
  );
  opened.held.chunks = chunks;
  const ended = await feed(chunks, opened);
  if (ended === 'end') await chunks.finish();
  else await chunks.abandon();
  const closed = await close(log, batch);
  if (chunks.failure?.kind === 'store')
    log.error({ err: chunks.failure.error }, 'the store did not take a batch chunk');
  if (ended === 'broken')
    log.warn({ message_id: batch.messageId, accepted: chunks.accepted }, 'a batch connection broke');
  await answer.end(resultOf(chunks, { ended, closed, messageId: batch.messageId }), chunks.ackedThrough);
}

/** Passes on what arrives until it ends, breaks or the store refuses. */
async function feed(chunks: BatchChunks, { input, rest }: Opened): Promise<'end' | Cut> {
  await chunks.take(rest);
  for (;;) {
    if (chunks.failure) return 'closing';
    const arrival = await input.next();
    if (arrival.kind !== 'lines') return arrival.kind;
    await chunks.take(arrival.lines);
  }
}

async function close(log: Log, batch: Batch): Promise<boolean> {
  try {
    await batch.close();
    return true;
  } catch (error) {
    log.error({ err: error, message_id: batch.messageId }, 'a batch could not be closed');
    return false;
  }
}

const changed = ({ line, message }: RejectedLine): Refused => ({
  status: 409,
  code: 'conflict',
  message: `line ${line}: ${message}`,
  details: [{ line, field: '', message }],
});

function resultOf(
  { accepted, rejected, failure }: BatchChunks,
  {
    ended,
    closed,
    messageId,
  }: { readonly ended: 'end' | Cut; readonly closed: boolean; readonly messageId: string },
): Result<object, Refused> {
  if (failure?.kind === 'changed') return err(changed(failure.line));
  if (failure || !closed) {
    const why = failure?.error instanceof NoMailTaken ? `: ${failure.error.message}` : '';
    return err(unavailable(`the store does not take mail now${why}`));
  }
  if (ended !== 'end') return err(cutOff(ended));
  return ok({ done: true, message_id: messageId, accepted, rejected });
}
