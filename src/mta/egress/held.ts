/**
 * The deliveries in memory under a limit that lanes share (caps.ts, campaign-cap.ts), until each has its token. No more
 * are leased than tokens come until they are ready: with open sessions that is at once, and where sessions have to be
 * opened first it is as long as it took those before. So the limit is reached, and few wait for it in the lanes.
 */
import type { Clock } from '../../core/index.ts';
import { CAP_WAIT_MS, type Cap } from './token-line.ts';

/** What is leased when all sessions are open and idle waits no longer than this in its lane. */
const SOON_MS = 20;
/**
 * A delivery that is not ready after so many times what the others took (a host that does not answer) keeps no place
 * from them.
 */
const STUCK = { times: 4, leastMs: 250 };
/** Some are ready at once and some late, and a token that finds none ready is lost: more than on average. */
const MARGIN = 2;
/** How much each delivery tells about the time that the next ones need. */
const SHARE = 1 / 4;

interface Waiting {
  /** When it was asked for (mono ms). */
  readonly since: number;
  ready: boolean;
}

export interface HeldOptions {
  readonly clock: Clock;
  /** ms until the n-th token from now may be spent. */
  readonly waitMs: (n: number) => number;
  /** Some of what was held goes without a token: there may be room for others. */
  readonly onRoom: () => void;
}

/** The limit, as a delivery meets it. */
export interface Gate {
  waitMs(): number;
  take(id: string | undefined, since: number | undefined): void;
}

export class Held {
  readonly #options: HeldOptions;
  /** Deliveries that lease requests under way may bring. */
  #leasing = 0;
  /** Covered by a mark in the store, in the order of their requests. */
  #waiting = new Map<string, Waiting>();
  /** How long it takes from the request until a delivery is ready (ms). */
  #readyAfter = 0;

  constructor(options: HeldOptions) {
    this.#options = options;
  }

  /** All that may still want a token: what a mark has to cover. */
  get size(): number {
    return this.#waiting.size + this.#leasing;
  }

  /** A request to lease so many begins: to be told once what it brought. */
  requested(count: number): (brought: readonly { readonly id: string }[]) => void {
    const [since, waiting] = [this.#now(), this.#waiting];
    this.#leasing += count;
    return (brought) => {
      this.#leasing -= count;
      // After `clear` nobody asks for these any more.
      for (const { id } of brought) waiting.set(id, { since, ready: false });
      if (brought.length < count) this.#options.onRoom();
    };
  }

  /** Whether a mark in the store covers the delivery. */
  covers(id: string): boolean {
    return this.#waiting.has(id);
  }

  /** These deliveries of one transaction are ready, and take their tokens in this order. */
  capOf(ids: readonly string[], gate: Gate): Cap {
    for (const id of ids) this.#ready(id);
    let next = 0;
    return { waitMs: () => gate.waitMs(), take: (since) => gate.take(ids[next++], since) };
  }

  /** It has its token. If it is tried once more, that is another one: it has to be leased anew. */
  spent(id: string): void {
    this.#waiting.delete(id);
  }

  /** It is not in memory any more. */
  settled(id: string): void {
    if (this.#waiting.delete(id)) this.#options.onRoom();
  }

  /** What is held is covered no more. */
  clear(): void {
    this.#waiting = new Map();
  }

  /** How many of `most` deliveries may be leased now. */
  room(most: number): number {
    const under = this.#under();
    let count = 0;
    while (count < most && this.#options.waitMs(under + count + 1) <= this.#horizon) count++;
    return count;
  }

  /** ms until there may be room, if nothing happens meanwhile. */
  nextRoomMs(): number {
    const token = this.#options.waitMs(this.#under() + 1) - this.#horizon;
    return Math.max(0, Math.min(token, this.#toNextStuck()));
  }

  get #horizon(): number {
    return Math.min(CAP_WAIT_MS, SOON_MS + MARGIN * this.#readyAfter);
  }

  #ready(id: string): void {
    const waiting = this.#waiting.get(id);
    if (!waiting || waiting.ready) return;
    waiting.ready = true;
    const took = Math.min(CAP_WAIT_MS, this.#now() - waiting.since);
    this.#readyAfter += SHARE * (took - this.#readyAfter);
  }

  /** Those that are to have the next tokens. */
  #under(): number {
    const from = this.#stuckSince;
    let count = this.#leasing;
    for (const { since, ready } of this.#waiting.values()) if (ready || since > from) count++;
    return count;
  }

  #toNextStuck(): number {
    const from = this.#stuckSince;
    for (const { since, ready } of this.#waiting.values()) if (!ready && since > from) return since - from;
    return Infinity;
  }

  /** Who was asked for before and is not ready is stuck. */
  get #stuckSince(): number {
    return this.#now() - Math.max(STUCK.leastMs, STUCK.times * this.#readyAfter);
  }

  #now(): number {
    return this.#options.clock.mono();
  }
}
