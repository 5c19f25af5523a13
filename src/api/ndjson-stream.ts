/**
 * An answer of JSON lines that is written while it comes into being. The rim of the streaming routes: the only place
 * that touches the raw response. Back-pressure is the caller's wait for `write`.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

export class NdjsonStream {
  readonly #response: ServerResponse;
  readonly #gone = new AbortController();
  readonly #maxPendingBytes: number;

  /** Takes the reply over and sends its head. Up to `maxPendingBytes` may wait for a peer that does not read. */
  constructor(reply: FastifyReply, maxPendingBytes: number, headers: Readonly<Record<string, string>> = {}) {
    this.#response = reply.raw;
    this.#maxPendingBytes = maxPendingBytes;
    reply.hijack();
    this.#response.once('close', () => this.#gone.abort());
    this.#response.on('error', () => this.#gone.abort());
    if (this.#response.closed || this.#response.destroyed) this.#gone.abort();
    this.#response.writeHead(200, {
      'content-type': 'application/x-ndjson; charset=utf-8',
      'cache-control': 'no-store',
      ...headers,
    });
    this.#response.flushHeaders();
  }

  /** Aborts when the peer has gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Resolves when more may be written, or the peer has gone. */
  async write(text: string): Promise<void> {
    if (this.#gone.signal.aborted || this.#response.write(text)) return;
    if (this.#response.writableLength <= this.#maxPendingBytes) return;
    await once(this.#response, 'drain', { signal: this.#gone.signal }).catch(() => undefined);
  }

  line(value: object): Promise<void> {
    return this.write(`${JSON.stringify(value)}\n`);
  }

  end(): void {
    if (!this.#gone.signal.aborted) this.#response.end();
  }
}
