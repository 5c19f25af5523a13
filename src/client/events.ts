/** Events from the journal, in order; a stream that breaks goes on after the last event that was given. */
import type { Event, EventType } from '../core/index.ts';
import { type Connection, linesOf, responseTo, textOf } from './connection.ts';
import { ConnectionBroken, PostriderError } from './errors.ts';
import { Patience } from './patience.ts';

export interface EventsOptions {
  /** `seq` of the last event that is known; default: all that are kept, or with `follow` only those that come. */
  readonly after?: number;
  readonly types?: readonly EventType[];
  readonly campaignId?: string;
  readonly deliveryId?: string;
  /** Goes on with the events that come, until the signal ends it. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
  /** How long (ms) a broken stream is tried again; default 5 minutes. */
  readonly patienceMs?: number;
  /** Told when the journal has lost events between the last one known and the first one kept. */
  readonly onGap?: (gap: { readonly after: number; readonly first: number }) => void;
}

/** The server writes an empty line every 15 s. */
const SILENCE_MS = 60_000;

export async function* readEvents(connection: Connection, options: EventsOptions): AsyncGenerator<Event> {
  const { signal, follow = false, patienceMs = 300_000 } = options;
  const patience = new Patience(patienceMs, signal);
  let after = options.after;
  while (!signal?.aborted) {
    try {
      for await (const event of stream(connection, options, after)) {
        if ('begin' in event) after ??= event.begin;
        else {
          patience.progress();
          after = event.seq;
          yield event;
        }
      }
      if (!follow) return;
      throw new ConnectionBroken(new Error('the server has ended the stream'));
    } catch (error) {
      if (signal?.aborted) return;
      await patience.afterFailure(error).catch((final: unknown) => {
        if (!signal?.aborted) throw final;
      });
    }
  }
}

/** One connection: where it begins, then its events. */
async function* stream(
  connection: Connection,
  options: EventsOptions,
  after: number | undefined,
): AsyncGenerator<Event | { readonly begin: number }> {
  const { signal, follow = false, onGap } = options;
  const path = `/v1/events?${queryOf(options, after)}`;
  const request = connection.open({ method: 'GET', path, silenceMs: SILENCE_MS, signal });
  try {
    const answered = responseTo(request);
    request.end();
    const response = await answered;
    const status = response.statusCode ?? 0;
    if (status !== 200)
      throw PostriderError.from(status, await textOf(response), response.headers['retry-after']);
    const first = Number(response.headers['postrider-first-seq']);
    if (after !== undefined && first > after + 1) onGap?.({ after, first });
    if (follow) yield { begin: Number(response.headers['postrider-last-seq']) };
    for await (const event of linesOf(response)) yield event as Event;
  } finally {
    request.destroy();
  }
}

function queryOf(
  { types, campaignId, deliveryId, follow }: EventsOptions,
  after: number | undefined,
): string {
  const query = new URLSearchParams();
  if (after !== undefined) query.set('after', String(after));
  if (types) query.set('type', types.join(','));
  if (campaignId !== undefined) query.set('campaign_id', campaignId);
  if (deliveryId !== undefined) query.set('delivery_id', deliveryId);
  if (follow) query.set('follow', 'true');
  return query.toString();
}
