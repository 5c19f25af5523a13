/**
 * The listener: accepts connections, counts them, looks after their deadlines with one timer for all, and shuts down
 * in order. It listens on as many addresses as it is told to. Failure policy: a port that cannot be had is a value.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { err, ok, type Result } from '../../../core/index.ts';
import { Connection } from './connection.ts';
import { Budget } from './content.ts';
import { plainAddress } from './peer-address.ts';
import { Preamble } from './preamble.ts';
import type { Proxied } from './proxy-header.ts';
import { settingsOf, type ServerOptions, type Settings } from './options.ts';
import { REPLIES } from './replies.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly backlog?: number;
}

export interface BoundAddress {
  readonly address: string;
  readonly port: number;
}

export interface SmtpServer {
  /** May be called for several addresses. The error is one sentence. */
  listen(options: ListenOptions): Promise<Result<BoundAddress, string>>;
  /**
   * Stops accepting; idle sessions end with 421 at once, others after their transaction, and what is left after
   * `drainMs` is cut off. Resolves when the last connection is gone.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
  /** Open connections. */
  readonly sessions: number;
  /** Bytes of unfinished messages over all sessions. */
  readonly bufferedBytes: number;
}

const DEFAULT_BACKLOG = 511;
const DEFAULT_DRAIN_MS = 10_000;
const MIN_SWEEP_MS = 10;
const MAX_SWEEP_MS = 5000;

export const createSmtpServer = (options: ServerOptions): SmtpServer => new Listener(settingsOf(options));

class Listener implements SmtpServer {
  readonly #settings: Settings;
  readonly #budget: Budget;
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Connection | Preamble>();
  readonly #emptied: (() => void)[] = [];
  #secureContext: SecureContext | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #lastId = 0;
  #closing = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#budget = new Budget(settings.maxBufferedBytes);
  }

  get sessions(): number {
    return this.#connections.size;
  }

  get bufferedBytes(): number {
    return this.#budget.heldBytes;
  }

  async listen(options: ListenOptions): Promise<Result<BoundAddress, string>> {
    if (this.#closing) return err('The server is closed');
    const tls = this.#prepareTls();
    if (!tls.ok) return tls;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    const failure = await bind(server, options);
    if (failure !== undefined) return err(failure);
    // INTEROP(kernel): accept can fail later (EMFILE, ECONNABORTED); the listener goes on.
    server.on('error', (error) => this.#settings.onError(error, 'accept'));
    this.#servers.push(server);
    this.#sweep ??= setInterval(() => this.#expire(), sweepMs(this.#settings)).unref();
    const { address, port } = server.address() as AddressInfo;
    return ok({ address, port });
  }

  async close(options: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closing = true;
    for (const server of this.#servers.splice(0)) server.close();
    for (const connection of this.#connections) connection.drain();
    const cutOff = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, options.drainMs ?? DEFAULT_DRAIN_MS);
    if (this.#connections.size > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve));
    clearTimeout(cutOff);
    clearInterval(this.#sweep);
  }

  #accept(socket: Socket): void {
    if (this.#closing) return refuse(socket, REPLIES.shutdown.enhancedWire);
    if (this.#connections.size >= this.#settings.maxConnections)
      return refuse(socket, REPLIES.tooManyConnections.enhancedWire);
    if (this.#settings.trust?.proxyProtocol(plainAddress(socket.remoteAddress)) === true) this.#await(socket);
    else this.#begin(socket);
  }

  /** The session begins behind the PROXY header. */
  #await(socket: Socket): void {
    const preamble = new Preamble({
      socket,
      nowMs: this.#settings.clock.mono(),
      onHeader: (proxied, rest) => this.#begin(socket, proxied, rest),
      onRefused: this.#settings.onProxyRefused,
      onGone: (gone) => this.#remove(gone),
    });
    this.#connections.add(preamble);
  }

  #begin(socket: Socket, proxied?: Proxied, received?: Buffer): void {
    const connection = new Connection({
      id: ++this.#lastId,
      socket,
      proxied,
      received,
      settings: this.#settings,
      budget: this.#budget,
      secureContext: this.#secureContext,
      onGone: (gone) => this.#remove(gone),
    });
    this.#connections.add(connection);
  }

  #remove(connection: Connection | Preamble): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    for (const resolve of this.#emptied.splice(0)) resolve();
  }

  #expire(): void {
    const nowMs = this.#settings.clock.mono();
    for (const connection of this.#connections) connection.expire(nowMs);
  }

  #prepareTls(): Result<undefined, string> {
    const { tls } = this.#settings;
    if (tls === undefined || this.#secureContext !== undefined) return ok(undefined);
    try {
      this.#secureContext = createSecureContext({ cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' });
      return ok(undefined);
    } catch (error) {
      return err(`The TLS certificate and key cannot be used: ${String(error)}`);
    }
  }
}

/** A connection that never becomes a session: one line, FIN, and what the peer says is thrown away. */
function refuse(socket: Socket, wire: string): void {
  socket.on('error', () => socket.destroy());
  socket.setTimeout(MAX_SWEEP_MS, () => socket.destroy());
  socket.resume();
  socket.end(wire);
}

/** Often enough for the shortest deadline, at most every 10 ms. */
function sweepMs(settings: Settings): number {
  const shortest = Math.min(settings.idleTimeoutMs, settings.dataTimeoutMs, settings.lingerMs);
  return Math.max(MIN_SWEEP_MS, Math.min(MAX_SWEEP_MS, shortest / 4));
}

function bind(server: Server, options: ListenOptions): Promise<string | undefined> {
  const { host, port, backlog = DEFAULT_BACKLOG } = options;
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(listenFailure(error, options)));
    server.listen({ host, port, backlog }, () => {
      server.removeAllListeners('error');
      resolve(undefined);
    });
  });
}

const LISTEN_FAILURES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there already (EADDRINUSE)',
  EACCES: 'ports below 1024 need a privilege (EACCES)',
  EADDRNOTAVAIL: 'the address is not on this machine (EADDRNOTAVAIL)',
  ENOTFOUND: 'the host name has no address (ENOTFOUND)',
};

function listenFailure(error: NodeJS.ErrnoException, options: ListenOptions): string {
  const reason = LISTEN_FAILURES[error.code ?? ''] ?? error.message;
  return `Cannot listen on ${options.host}:${options.port}: ${reason}`;
}
