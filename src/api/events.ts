/**
 * `GET /v1/events`: the journal as JSON lines, oldest first; with `follow` also what comes. A slow reader slows only
 * its own stream: nothing is read from the journal before what was written has gone. The journal is read in slices,
 * so a long one does not hold the process.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Event } from '../core/index.ts';
import type { Queue } from '../queue/index.ts';
import { isBound, owns } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { RouteContext } from './dependencies.ts';
import { NdjsonStream } from './ndjson-stream.ts';
import { answer, refuse, type Refused } from './refused.ts';
import { eventsQuery, type EventsQuery } from './schemas.ts';
import { checkRequest } from './shape.ts';

const HEARTBEAT_MS = 15_000;
const SLICE_LINES = 2_000;
const SLICE_CHARS = 64 * 1024;

type Journal = Queue['state']['journal'];

export function addEvents(app: FastifyInstance, { deps, closing }: RouteContext): void {
  app.get('/v1/events', async (request, reply) => {
    const query = checkRequest(eventsQuery, request.query);
    if (!query.ok) return answer(reply, query);
    const { journal } = deps.queue.state;
    const { after = 0 } = query.value;
    if (isBeyond(journal, after)) return refuse(reply, beyond(after, journal.last));
    const out = new NdjsonStream(reply, 0, {
      'postrider-first-seq': String(journal.first),
      'postrider-last-seq': String(journal.last),
    });
    const ended = AbortSignal.any([closing, out.gone]);
    const caller = callerOf(request);
    const matches = filterOf(query.value, caller);
    try {
      await stream(journal, query.value, {
        out,
        matches,
        ended,
        // Else a tenant that reads slowly could keep the mail of all out (journal.on_full: stop).
        keeps: !isBound(caller),
        heartbeatMs: deps.heartbeatMs ?? HEARTBEAT_MS,
      });
    } catch (error) {
      deps.log.error({ err: error, request: request.id }, 'an event stream failed');
    }
    out.end();
    return reply;
  });
}

/** A reader may be told of an event a moment before the journal counts it. */
const isBeyond = (journal: Journal, after: number): boolean =>
  after > journal.last && journal.take(after - 1, 1).length === 0;

/** Waiting in silence would pass over what comes until then. */
const beyond = (after: number, last: number): Refused => ({
  status: 409,
  code: 'conflict',
  message:
    `after is ${after}, and the last event is ${last}: the store is another one, or an older copy without the mark of ` +
    `"postrider backup". Events behind ${last} get numbers that were given before; to go on with them ask for after=${last}`,
  details: { last_seq: last },
});

interface Stream {
  readonly out: NdjsonStream;
  readonly matches: Matches;
  readonly ended: AbortSignal;
  /** Whether the journal keeps for it what it has not read. */
  readonly keeps: boolean;
  readonly heartbeatMs: number;
}

async function stream(
  journal: Journal,
  query: EventsQuery,
  { out, matches, ended, keeps, heartbeatMs }: Stream,
): Promise<void> {
  let after = startOf(journal, query);
  let left = query.limit ?? Infinity;
  const position = (): number => after;
  const followed = query.follow && keeps ? journal.readers.add({ name: 'api', position }) : undefined;
  try {
    while (!ended.aborted && left > 0) {
      const slice = readSlice(journal, { after, matches, limit: left });
      left -= slice.lines;
      after = slice.last;
      if (slice.text !== '') await out.write(slice.text);
      if (!slice.atEnd) await nextTurn();
      else if (!query.follow || left === 0) return;
      else if ((await newEvents(journal, after, { ended, heartbeatMs })) === 'none') await out.write('\n');
    }
  } finally {
    followed?.();
  }
}

/** `after=-N`: the last N events. Without `after`: all that is kept, or when following, only what comes. */
function startOf(journal: Journal, { after, follow }: EventsQuery): number {
  if (after === undefined) return follow ? journal.last : 0;
  return after >= 0 ? after : Math.max(0, journal.last + after);
}

type Matches = (line: string) => boolean;

/** A line is parsed only when the wanted text is somewhere in it. */
function filterOf({ type, campaign_id, delivery_id }: EventsQuery, caller: Caller): Matches {
  const bound = isBound(caller);
  const needles: string[] = [];
  if (campaign_id !== undefined) needles.push(`"campaign_id":${JSON.stringify(campaign_id)}`);
  if (delivery_id !== undefined) needles.push(`"delivery_id":"${delivery_id.toLowerCase()}"`);
  if (type?.length === 1) needles.push(`"type":"${type[0]!}"`);
  if (needles.length === 0 && !type && !bound) return () => true;
  return (line) => {
    if (!needles.every((needle) => line.includes(needle))) return false;
    const event = JSON.parse(line) as Event;
    if (bound && !ownsEvent(caller, event)) return false;
    if (campaign_id !== undefined && event.campaign_id !== campaign_id) return false;
    if (delivery_id !== undefined && event.delivery_id !== delivery_id.toLowerCase()) return false;
    return !type || (type as readonly string[]).includes(event.type);
  };
}

/** What is about no delivery is about the mail of all; that something is missing is everybody's to know. */
const ownsEvent = (
  caller: Caller,
  { type, delivery_id, account_id, sender, virtual_sender }: Event,
): boolean =>
  delivery_id === undefined
    ? type === 'sink_gap'
    : owns(caller, { account: account_id, sender, virtualSender: virtual_sender });

interface Slice {
  readonly text: string;
  readonly lines: number;
  /** Sequence number of the last event read. */
  readonly last: number;
  readonly atEnd: boolean;
}

function readSlice(
  journal: Journal,
  { after, matches, limit }: { readonly after: number; readonly matches: Matches; readonly limit: number },
): Slice {
  let [text, lines, read, last] = ['', 0, 0, after];
  for (const { seq, line } of journal.lines(after)) {
    last = seq;
    if (matches(line)) {
      text += `${line}\n`;
      lines++;
    }
    if (++read >= SLICE_LINES || text.length >= SLICE_CHARS || lines >= limit)
      return { text, lines, last, atEnd: false };
  }
  return { text, lines, last, atEnd: true };
}

/** Waits for an event after `after`, the end of the stream, or until the heartbeat is due (`none`). */
async function newEvents(
  journal: Journal,
  after: number,
  { ended, heartbeatMs }: Pick<Stream, 'ended' | 'heartbeatMs'>,
): Promise<'some' | 'none' | 'ended'> {
  const wait = new AbortController();
  const stop = (): void => wait.abort();
  const timer = setTimeout(stop, heartbeatMs);
  ended.addEventListener('abort', stop, { once: true });
  if (ended.aborted) stop();
  await journal.waitFor(after, wait.signal);
  clearTimeout(timer);
  ended.removeEventListener('abort', stop);
  if (ended.aborted) return 'ended';
  return journal.last > after ? 'some' : 'none';
}
