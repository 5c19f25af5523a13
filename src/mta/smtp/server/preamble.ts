/**
 * A connection from a load balancer before its session: waits for the PROXY header and hands over the socket, whom it
 * is for, and what came behind the header. Until then nothing is answered. The time for the whole header is short: a
 * load balancer sends it at once.
 */
import type { Socket } from 'node:net';
import { plainAddress } from './peer-address.ts';
import { type Proxied, readProxyHeader } from './proxy-header.ts';
import { type CannedReply, REPLIES } from './replies.ts';

const MAX_HEADER_MS = 5000;

export interface PreambleOptions {
  readonly socket: Socket;
  readonly nowMs: number;
  /** `proxied` is undefined for the load balancer's own connection. */
  readonly onHeader: (proxied: Proxied | undefined, rest: Buffer) => void;
  /** The proxy's address, and one sentence. */
  readonly onRefused: (proxyAddress: string, reason: string) => void;
  /** Called once, when the connection is gone or handed over. */
  readonly onGone: (preamble: Preamble) => void;
}

export class Preamble {
  readonly #options: PreambleOptions;
  readonly #proxyAddress: string;
  #bytes: Buffer = Buffer.alloc(0);
  #done = false;
  #lateAt: number;

  constructor(options: PreambleOptions) {
    const { socket } = options;
    this.#options = options;
    this.#proxyAddress = plainAddress(socket.remoteAddress);
    this.#lateAt = options.nowMs + MAX_HEADER_MS;
    socket.on('error', ignore);
    socket.on('data', this.#receive);
    socket.on('end', this.#ended);
    socket.on('close', this.#gone);
  }

  expire(nowMs: number): void {
    if (nowMs < this.#lateAt) return;
    if (this.#done) return this.destroy();
    this.#refuse(`no PROXY protocol header within ${MAX_HEADER_MS / 1000} s`);
    this.#lateAt = nowMs + MAX_HEADER_MS;
  }

  drain(): void {
    this.#end(REPLIES.shutdown);
  }

  destroy(): void {
    this.#options.socket.destroy();
  }

  readonly #receive = (chunk: Buffer): void => {
    if (this.#done) return;
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const header = readProxyHeader(this.#bytes);
    if (header.status === 'malformed') this.#refuse(header.reason);
    else if (header.status === 'complete') this.#handOver(header.proxied, header.length);
  };

  #handOver(proxied: Proxied | undefined, length: number): void {
    const { socket, onHeader, onGone } = this.#options;
    socket.off('error', ignore).off('data', this.#receive).off('end', this.#ended).off('close', this.#gone);
    onHeader(proxied, this.#bytes.subarray(length));
    onGone(this);
  }

  readonly #ended = (): void => {
    if (this.#done) return this.destroy();
    // A check whether the port is open sends nothing.
    if (this.#bytes.length > 0) this.#refuse('the connection ended within the PROXY protocol header');
    else this.#end(undefined);
  };

  #refuse(reason: string): void {
    this.#options.onRefused(this.#proxyAddress, reason);
    this.#end(REPLIES.proxyHeader);
  }

  /** What still comes in is thrown away, until `lateAt`. */
  #end(reply: CannedReply | undefined): void {
    if (this.#done) return;
    this.#done = true;
    this.#bytes = Buffer.alloc(0);
    this.#options.socket.end(reply?.enhancedWire ?? '');
  }

  readonly #gone = (): void => this.#options.onGone(this);
}

function ignore(): void {}
