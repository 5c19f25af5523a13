/**
 * Bytes of requests that are not answered yet, and of long answers that are not read, over all connections of a server, so
 * that memory stays bounded however many callers send and read however slowly. Who finds no room is told to come again.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { errorBody, type Refused, unavailable } from './refused.ts';

/** As much as of messages over SMTP. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Answers up to this are given whatever is held: how things are, and what was done. */
const SMALL_ANSWER_BYTES = 64 * 1024;

export const noRoom = (): Refused =>
  unavailable('too many unfinished requests are held in memory, try again later');

export class Room {
  readonly #maxBytes: number;
  #held = 0;

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** Changes what one request holds. One always has room for itself: the limits of bodies see to that. */
  change(before: number, after: number): boolean {
    const others = this.#held - before;
    if (after > before && others > 0 && others + after > this.#maxBytes) return false;
    this.#held = others + after;
    return true;
  }
}

/** What one request holds; the last word is what counts. */
export class Share {
  readonly #room: Room;
  #held = 0;
  #ended = false;

  constructor(room: Room) {
    this.#room = room;
  }

  /** False when there is no room for it; then it holds what it held. What is still read of one that has ended counts no more. */
  hold(bytes: number): boolean {
    if (this.#ended) return true;
    if (!this.#room.change(this.#held, bytes)) return false;
    this.#held = bytes;
    return true;
  }

  /** The request is answered, or its connection is gone. */
  end(): void {
    this.hold(0);
    this.#ended = true;
  }
}

const shares = new WeakMap<object, Share>();

export function shareRoom(app: FastifyInstance, room: Room): void {
  app.addHook('onRequest', (request, reply, done) => {
    const share = new Share(room);
    shares.set(request.raw, share);
    reply.raw.once('close', () => share.end());
    done();
  });
  // What was asked for by another method is done by now.
  app.addHook('onSend', (request, reply, payload, done) => {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.byteLength(payload) : 0;
    if (request.method !== 'GET' || bytes <= SMALL_ANSWER_BYTES || shareOf(request).hold(bytes)) {
      done(null, payload);
      return;
    }
    const refused = noRoom();
    void reply.code(refused.status).type('application/json; charset=utf-8');
    void reply.header('retry-after', refused.retryAfterSeconds);
    done(null, JSON.stringify(errorBody(refused)));
  });
}

export const shareOf = ({ raw }: Pick<FastifyRequest, 'raw'>): Share => shares.get(raw)!;
