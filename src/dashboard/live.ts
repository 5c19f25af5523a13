/**
 * The live connection of the pages. One picture is made for all of them, in slices and seldom enough that it costs at
 * most MAX_SHARE of the time (but one each LONGEST_PAUSE_MS), and not at all while nobody looks. A browser that does not read is cut off when more than
 * MAX_UNREAD_BYTES wait for it, one that is gone when it misses a ping.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { Slices } from '../api/index.ts';
import { isOpen, isOwnOrigin } from './access.ts';
import type { RecentEvents } from './recent-events.ts';
import type { Sessions } from './sessions.ts';
import type { Picture } from './snapshot.ts';
import type { LiveMessage, Look } from './view.ts';

const PAUSE_MS = 1_000;
const MAX_SHARE = 0.02;
/** On a machine that is so busy that a picture takes long; the page takes longer silence for a lost connection. */
const LONGEST_PAUSE_MS = 10_000;
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
  readonly picture: (slices: Slices) => Promise<Picture>;
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

/** One picture, and what was made of it. */
interface Round {
  readonly slices: Slices;
  readonly picture: Promise<Picture>;
  /** By who is told what: those of two pages that are shown the same are one. */
  readonly messages: Map<string, Message>;
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
  readonly #closing = new AbortController();
  #going = false;
  #round: Round | undefined;
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
    this.#closing.abort();
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
    void this.#tell([client]);
    if (!this.#going) void this.#goOn();
  }

  /** Round after round, until nobody looks any more. */
  async #goOn(): Promise<void> {
    let pauseMs = PAUSE_MS;
    this.#going = true;
    do {
      await delay(pauseMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      this.#round = undefined;
      this.#events = undefined;
      pauseMs = pauseAfter(await this.#tell([...this.#clients]));
    } while (this.#clients.size > 0);
    this.#round = undefined;
    this.#going = false;
  }

  /** How long (ms) the round has taken of the thread so far. */
  async #tell(clients: readonly Client[]): Promise<number> {
    if (clients.length === 0) return 0;
    const round = (this.#round ??= this.#begin());
    try {
      const picture = await round.picture;
      // One client between two turns: each may have looked for something else.
      await round.slices.each(clients, (client) => this.#tellOne(client, round, picture), 1);
      // In one go: pages that have seen the same are sent the same.
      round.slices.run(() => clients.forEach((client) => this.#sendEvents(client)));
    } catch (error) {
      this.#options.onError(error);
    }
    return round.slices.spentMs;
  }

  #begin(): Round {
    const slices = new Slices();
    return { slices, picture: this.#options.picture(slices), messages: new Map() };
  }

  #tellOne(client: Client, round: Round, picture: Picture): void {
    const full = this.#options.sessions.knows(client.cookie);
    const snapshot = (): LiveMessage => ({ type: 'snapshot', snapshot: picture.snapshot(full) });
    this.#send(client, messageOf(round, `${full}`, snapshot));
    this.#sendFound(client, round, picture);
  }

  #look(client: Client, data: RawData): void {
    const look = lookMessage.safeParse(parsed(data));
    if (!look.success) return client.socket.close(POLICY_VIOLATION);
    client.look = look.data;
    client.answering ??= setTimeout(() => {
      client.answering = undefined;
      void this.#answer(client);
    }, ANSWER_MS);
  }

  /** From the last picture. */
  async #answer(client: Client): Promise<void> {
    const round = (this.#round ??= this.#begin());
    try {
      const picture = await round.picture;
      round.slices.run(() => this.#sendFound(client, round, picture));
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #sendFound(client: Client, round: Round, picture: Picture): void {
    const { look } = client;
    if (!look || isStart(look)) return;
    const full = this.#options.sessions.knows(client.cookie);
    const found = (): LiveMessage => ({ type: 'found', found: picture.find(look, full) });
    this.#send(client, messageOf(round, `${full} ${JSON.stringify(look)}`, found));
  }

  #sendEvents(client: Client): void {
    const { recent, sessions } = this.#options;
    if (!sessions.knows(client.cookie)) return;
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

/** How long to rest after a round that took so long of the thread (ms). */
export const pauseAfter = (tookMs: number): number =>
  Math.min(LONGEST_PAUSE_MS, Math.max(PAUSE_MS, tookMs / MAX_SHARE));

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

function messageOf({ messages }: Round, key: string, make: () => LiveMessage): Message {
  let known = messages.get(key);
  if (!known) messages.set(key, (known = message(make())));
  return known;
}
