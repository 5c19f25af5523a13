/**
 * The live connection of the pages. One picture is made for all of them, seldom enough that it costs at most
 * MAX_SHARE of the time, and not at all while nobody looks. A browser that does not read is cut off when more than
 * MAX_UNREAD_BYTES wait for it, one that is gone when it misses a ping.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { isOpen, isOwnOrigin } from './access.ts';
import type { RecentEvents } from './recent-events.ts';
import type { Sessions } from './sessions.ts';
import type { Picture } from './snapshot.ts';
import type { LiveMessage, Look } from './view.ts';

const PAUSE_MS = 1_000;
const MAX_SHARE = 0.02;
const PING_MS = 15_000;
const MAX_CLIENTS = 100;
const MAX_UNREAD_BYTES = 1024 * 1024;
const MAX_MESSAGE_BYTES = 1024;
/** Who searches or scrolls is answered this much later, with what was asked last. */
const ANSWER_MS = 50;

const POLICY_VIOLATION = 1008;

const words = z.string().max(100);
const place = z.int().min(0).max(10_000_000);
const lookMessage = z.strictObject({
  grid: words,
  row: place,
  column: place,
  campaigns: words,
  campaign: place,
});

export interface LiveOptions {
  readonly sessions: Sessions;
  readonly picture: (full: boolean) => Picture;
  readonly recent: RecentEvents;
  readonly onError: (error: unknown) => void;
}

interface Client {
  readonly socket: WebSocket;
  readonly cookie: string | undefined;
  /** Number of the last event that it was sent. */
  seen: number;
  alive: boolean;
  /** What it searches for, or has scrolled to. */
  look?: Look | undefined;
  answering?: NodeJS.Timeout | undefined;
}

/** One for all who are sent it: made, encoded and kept once. */
type Message = Buffer;

interface Taken {
  readonly picture: Picture;
  readonly message: Message;
}

interface TakenEvents {
  /** Those after this number, up to `last`. */
  readonly after: number;
  readonly last: number;
  readonly message: Message;
}

export class Live {
  readonly #options: LiveOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    clientTracking: false,
  });
  readonly #clients = new Set<Client>();
  #timer: NodeJS.Timeout | undefined;
  /** Of the last round, while somebody looks. */
  #taken: { full?: Taken; open?: Taken } = {};
  /** What the last one was sent: pages that are told together have seen the same. */
  #events: TakenEvents | undefined;
  readonly #pings = setInterval(() => this.#ping(), PING_MS).unref();

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  close(): void {
    clearInterval(this.#pings);
    clearTimeout(this.#timer);
    for (const { socket } of this.#clients) socket.terminate();
    this.#clients.clear();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const status = this.#refusal(request);
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (accepted) => this.#add(accepted, request));
  }

  #refusal(request: IncomingMessage): string | undefined {
    if (request.url !== '/live') return '404 Not Found';
    if (!isOwnOrigin(request)) return '403 Forbidden';
    if (!this.#options.sessions.knows(request.headers.cookie) && !isOpen(request)) return '401 Unauthorized';
    return this.#clients.size >= MAX_CLIENTS ? '503 Service Unavailable' : undefined;
  }

  #add(socket: WebSocket, request: IncomingMessage): void {
    const client: Client = { socket, cookie: request.headers.cookie, seen: 0, alive: true };
    this.#clients.add(client);
    socket.on('error', () => socket.terminate());
    socket.on('pong', () => (client.alive = true));
    socket.on('message', (data) => this.#look(client, data));
    socket.on('close', () => {
      clearTimeout(client.answering);
      this.#clients.delete(client);
    });
    // The first picture at once; then all of them together.
    this.#tell([client]);
    this.#timer ??= setTimeout(() => this.#tick(), PAUSE_MS);
  }

  #tick(): void {
    this.#timer = undefined;
    this.#taken = {};
    this.#events = undefined;
    if (this.#clients.size === 0) return;
    const tookMs = this.#tell(this.#clients);
    this.#timer = setTimeout(() => this.#tick(), Math.max(PAUSE_MS, tookMs / MAX_SHARE));
  }

  /** How long (ms) it took. */
  #tell(clients: Iterable<Client>): number {
    const started = performance.now();
    try {
      for (const client of clients) {
        const full = this.#options.sessions.knows(client.cookie);
        this.#send(client, this.#take(full).message);
        this.#sendFound(client);
        if (full) this.#sendEvents(client);
      }
    } catch (error) {
      this.#options.onError(error);
    }
    return performance.now() - started;
  }

  #take(full: boolean): Taken {
    const of = full ? 'full' : 'open';
    let taken = this.#taken[of];
    if (!taken) {
      const picture = this.#options.picture(full);
      this.#taken[of] = taken = {
        picture,
        message: message({ type: 'snapshot', snapshot: picture.snapshot }),
      };
    }
    return taken;
  }

  #look(client: Client, data: RawData): void {
    const look = lookMessage.safeParse(parsed(data));
    if (!look.success) return client.socket.close(POLICY_VIOLATION);
    client.look = look.data;
    client.answering ??= setTimeout(() => {
      client.answering = undefined;
      try {
        this.#sendFound(client);
      } catch (error) {
        this.#options.onError(error);
      }
    }, ANSWER_MS);
  }

  #sendFound(client: Client): void {
    const { look } = client;
    if (!look || isStart(look)) return;
    const { picture } = this.#take(this.#options.sessions.knows(client.cookie));
    this.#send(client, message({ type: 'found', found: picture.find(look) }));
  }

  #sendEvents(client: Client): void {
    const { recent } = this.#options;
    const { last } = recent;
    if (last === client.seen) return;
    if (this.#events?.after !== client.seen || this.#events.last !== last) {
      const events = recent.after(client.seen);
      this.#events = { after: client.seen, last, message: message({ type: 'events', events }) };
    }
    client.seen = last;
    this.#send(client, this.#events.message);
  }

  #send({ socket }: Client, message: Message): void {
    if (socket.bufferedAmount > MAX_UNREAD_BYTES) socket.terminate();
    else if (socket.readyState === socket.OPEN) socket.send(message, { binary: false });
  }

  #ping(): void {
    for (const client of this.#clients) {
      if (!client.alive) client.socket.terminate();
      else {
        client.alive = false;
        client.socket.ping();
      }
    }
  }
}

/** What every snapshot has. */
const isStart = ({ grid, row, column, campaigns, campaign }: Look): boolean =>
  grid === '' && campaigns === '' && row + column + campaign === 0;

function parsed(data: RawData): unknown {
  try {
    return JSON.parse((data as Buffer).toString());
  } catch {
    return undefined;
  }
}

const message = (of: LiveMessage): Message => Buffer.from(JSON.stringify(of));
