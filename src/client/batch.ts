/**
 * A batch from any source of recipients, in constant memory: only what is not acknowledged is held. When the connection
 * breaks, or the server has to stop for a moment, the batch is sent again under its idempotency key with empty lines
 * in place of those that were acknowledged, so nothing is repeated and the source is read once.
 */
import { randomUUID } from 'node:crypto';
import type { Ack, schemas } from '../api/index.ts';
import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { type Connection, linesOf, responseTo, textOf } from './connection.ts';
import { ConnectionBroken, PostriderError } from './errors.ts';
import { Patience } from './patience.ts';

export type BatchHeader = schemas.BatchHeaderInput;
export type BatchRecipient = schemas.BatchLineInput;
export type RejectedRecipient = Ack['rejected'][number];

/** What happened since the last one. Line 1 is the header, so the first recipient is line 2. */
export interface BatchProgress {
  /** Lines up to this one are committed or rejected. */
  readonly ackedThrough: number;
  readonly accepted: number;
  /** Rejected since the last progress. */
  readonly rejected: readonly RejectedRecipient[];
}

export interface BatchResult {
  readonly messageId: string;
  readonly accepted: number;
  readonly rejected: number;
}

export interface BatchOptions {
  readonly signal?: AbortSignal;
  /** How long (ms) it is tried again without any progress; default a minute. */
  readonly patienceMs?: number;
}

type Recipients = Iterable<BatchRecipient> | AsyncIterable<BatchRecipient>;
type Line =
  | (Ack & { readonly error?: undefined; readonly done?: undefined })
  | { readonly done: true; readonly message_id: string }
  | { readonly error: object };

const NDJSON = 'application/x-ndjson';
const WRITE_CHARS = 64 * 1024;
/** Lines on the way at most; the server commits 500 at a time. */
const MAX_HELD = 5_000;
const SILENCE_MS = 120_000;

export async function* sendBatch(
  connection: Connection,
  { header, recipients }: { readonly header: BatchHeader; readonly recipients: Recipients },
  { signal, patienceMs = 60_000 }: BatchOptions = {},
): AsyncGenerator<BatchProgress, BatchResult> {
  const patience = new Patience(patienceMs, signal);
  const lines = new Outgoing({ idempotency_key: randomUUID(), ...header }, recipients);
  for (;;) {
    try {
      return yield* attempt(connection, lines, { signal, patience });
    } catch (error) {
      if (lines.failure) throw lines.failure.error;
      await patience.afterFailure(error);
    }
  }
}

interface Attempt {
  readonly signal: AbortSignal | undefined;
  readonly patience: Patience;
}

async function* attempt(
  connection: Connection,
  lines: Outgoing,
  { signal, patience }: Attempt,
): AsyncGenerator<BatchProgress, BatchResult> {
  const opening = { method: 'POST', path: '/v1/batches', type: NDJSON, silenceMs: SILENCE_MS, signal };
  const request = connection.open(opening);
  const answered = responseTo(request);
  answered.catch(() => undefined);
  void lines.writeTo(request);
  try {
    const response = await answered;
    const status = response.statusCode ?? 0;
    if (status !== 200)
      throw PostriderError.from(status, await textOf(response), response.headers['retry-after']);
    for await (const line of linesOf(response) as AsyncIterable<Line>) {
      if ('message_id' in line) return lines.result(line.message_id);
      if (line.error) throw new PostriderError(status, line);
      patience.progress();
      yield lines.acknowledge(line);
    }
    throw new ConnectionBroken(new Error('the answer has no end'));
  } finally {
    request.destroy();
  }
}

/** The lines of a batch: taken from the source once, held until they are acknowledged. */
class Outgoing {
  readonly #header: string;
  readonly #source: Iterator<BatchRecipient> | AsyncIterator<BatchRecipient>;
  /** Lines after the acknowledged ones. */
  readonly #held: string[] = [];
  #acked = 1;
  #ended = false;
  #rejected = 0;
  #room: () => void = () => undefined;
  #pending: Promise<IteratorResult<BatchRecipient>> | undefined;
  /** The source threw: that is the caller's error, and the end. */
  failure: { readonly error: unknown } | undefined;

  constructor(header: object, recipients: Recipients) {
    this.#header = `${JSON.stringify(header)}\n`;
    this.#source =
      Symbol.asyncIterator in recipients ? recipients[Symbol.asyncIterator]() : recipients[Symbol.iterator]();
  }

  acknowledge({ acked_through: through, rejected }: Ack): BatchProgress {
    this.#held.splice(0, through - this.#acked);
    this.#acked = Math.max(this.#acked, through);
    this.#rejected += rejected.length;
    this.#room();
    return { ackedThrough: this.#acked, accepted: this.#accepted(), rejected };
  }

  result(messageId: string): BatchResult {
    return { messageId, accepted: this.#accepted(), rejected: this.#rejected };
  }

  #accepted(): number {
    return this.#acked - 1 - this.#rejected;
  }

  /** Writes everything from the first line that is not acknowledged. Never rejects: a failure destroys the request. */
  async writeTo(request: ClientRequest): Promise<void> {
    const gone = new AbortController();
    request.once('close', () => gone.abort());
    const body = new Body(request, gone.signal);
    try {
      await body.write(this.#header + '\n'.repeat(this.#acked - 1));
      for (let next = this.#acked + 1; !gone.signal.aborted; next++) {
        const line = this.#held[next - this.#acked - 1] ?? (await this.#take(body));
        if (line === undefined) break;
        await body.write(line);
      }
      if (gone.signal.aborted) return;
      await body.flush();
      request.end();
    } catch (error) {
      request.destroy(error as Error);
    }
  }

  /** The next line of the source; undefined at its end, or when the request has gone. */
  async #take(body: Body): Promise<string | undefined> {
    while (this.#held.length >= MAX_HELD && !body.gone.aborted) {
      await body.flush();
      await this.#waitForRoom(body);
    }
    if (this.#ended || body.gone.aborted) return undefined;
    const taken = await this.#next(body);
    if (!taken) return undefined;
    this.#pending = undefined;
    if (taken.done) {
      this.#ended = true;
      return undefined;
    }
    const line = `${JSON.stringify(taken.value)}\n`;
    this.#held.push(line);
    return line;
  }

  /** A slow source must not keep what is written from leaving. */
  async #next(body: Body): Promise<IteratorResult<BatchRecipient> | undefined> {
    try {
      const next = this.#pending ?? this.#source.next();
      if (!(next instanceof Promise)) return next;
      this.#pending = next;
      next.catch(() => undefined);
      return await body.unlessGone(next);
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  async #waitForRoom(body: Body): Promise<void> {
    if (this.#held.length < MAX_HELD) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#room = resolve;
    await body.unlessGone(promise);
  }
}

/** A request body, written in large pieces; what waits leaves at the end of the event turn. */
class Body {
  readonly #request: ClientRequest;
  readonly gone: AbortSignal;
  /** Ends the wait under way. */
  #leave: () => void = () => undefined;
  #text = '';
  #timer: NodeJS.Immediate | undefined;

  constructor(request: ClientRequest, gone: AbortSignal) {
    this.#request = request;
    this.gone = gone;
    gone.addEventListener('abort', () => this.#leave(), { once: true });
  }

  /**
   * The value, or undefined when the request has gone before. Not a race against one promise of the whole request,
   * which would keep every value until the end.
   */
  unlessGone<T>(value: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#leave = () => resolve(undefined);
      if (this.gone.aborted) this.#leave();
      else value.then(resolve, reject);
    });
  }

  async write(text: string): Promise<void> {
    this.#text += text;
    if (this.#text.length >= WRITE_CHARS) await this.flush();
    else this.#timer ??= setImmediate(() => void this.flush().catch(() => undefined));
  }

  async flush(): Promise<void> {
    clearImmediate(this.#timer);
    this.#timer = undefined;
    const text = this.#text;
    this.#text = '';
    if (text === '' || this.gone.aborted || this.#request.write(text)) return;
    await once(this.#request, 'drain', { signal: this.gone }).catch(() => undefined);
  }
}
