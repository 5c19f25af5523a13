/**
 * The tokens of a lane's deliveries, first come first served: promised when a delivery is handed to a session, spent
 * immediately before RCPT, or given back. One that waits for a limit beside that of the lane is passed by the others.
 */
import type { Clock } from '../../core/index.ts';

const LONGEST_TIMER_MS = 60_000;

/** What a token must pass. */
export interface TokenSource {
  /** ms until the next token may be spent; 0 means at once. */
  waitMs(): number;
  /** Spends a token that has been waited for since `since` (mono ms). */
  take(since?: number): void;
}

/** A limit beside that of the lane as a transaction meets it, spent together with the tokens of the lane. */
export type Cap = TokenSource;

/** Those that a transaction must pass, as they are when they are asked. */
export type CapsNow = () => readonly Cap[];

/** A cap that is used up for longer is not waited for: the delivery goes back. */
export const CAP_WAIT_MS = 1_000;
/** The same for the lane: it was a second when the delivery was handed out, and can be a day since a warm-up pauses. */
const LANE_WAIT_MS = 30_000;

/** No token comes soon. */
export class NoToken extends Error {}

interface Turn {
  readonly signal: AbortSignal;
  readonly since: number;
  readonly caps: CapsNow;
  readonly count: number;
  readonly resolve: (spent: number) => void;
  readonly reject: (reason: unknown) => void;
  readonly aborted: () => void;
}

export class TokenLine {
  readonly #clock: Clock;
  readonly #source: TokenSource;
  /** Handed out, token not spent yet. */
  #promised = 0;
  readonly #line = new Set<Turn>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, source: TokenSource) {
    this.#clock = clock;
    this.#source = source;
  }

  get promised(): number {
    return this.#promised;
  }

  promise(): void {
    this.#promised++;
  }

  forgo(count = 1): void {
    this.#promised -= count;
  }

  /**
   * Waits for a token and spends it, and as many more of `count` as can be spent at the same moment; says how many it
   * were. All `count` promises end with it. Rejects with NoToken when none comes soon.
   */
  spend(signal: AbortSignal, caps: CapsNow, count = 1): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const aborted = (): void => {
      this.#end(turn);
      reject(signal.reason as Error);
    };
    const turn: Turn = { signal, since: this.#clock.mono(), caps, count, resolve, reject, aborted };
    if (signal.aborted) aborted();
    else {
      signal.addEventListener('abort', aborted);
      this.#line.add(turn);
      this.#serve();
    }
    return promise;
  }

  /** Tokens may come sooner than it seemed. */
  look(): void {
    this.#serve();
  }

  /** Lets go who can go now, and comes again when the next one can. */
  #serve(): void {
    clearTimeout(this.#timer);
    let next = Infinity;
    for (const turn of this.#line) {
      const wait = this.#try(turn);
      next = Math.min(next, wait);
      // Nobody behind it goes before the next token of the lane either.
      if (wait > 0 && wait <= this.#source.waitMs()) break;
    }
    if (next < Infinity) this.#timer = setTimeout(() => this.#serve(), Math.min(next, LONGEST_TIMER_MS));
  }

  /** ms until it makes sense to try again; Infinity when its turn is over. */
  #try(turn: Turn): number {
    try {
      const caps = turn.caps();
      const [ofLane, ofCaps] = [this.#source.waitMs(), longest(caps)];
      if (ofLane > LANE_WAIT_MS || ofCaps > CAP_WAIT_MS) throw new NoToken('no token comes soon');
      const wait = Math.max(ofLane, ofCaps);
      if (wait > 0) return wait;
      const spent = this.#take(turn, caps);
      this.#end(turn);
      turn.resolve(spent);
    } catch (error) {
      this.#end(turn);
      turn.reject(error);
    }
    return Infinity;
  }

  #take({ since, count }: Turn, caps: readonly Cap[]): number {
    const waited = (spent: number): number | undefined => (spent === 0 ? since : undefined);
    let spent = 0;
    do {
      this.#source.take(waited(spent));
      for (const cap of caps) cap.take(waited(spent));
      spent++;
    } while (spent < count && Math.max(this.#source.waitMs(), longest(caps)) <= 0);
    return spent;
  }

  #end(turn: Turn): void {
    this.#line.delete(turn);
    this.#promised -= turn.count;
    turn.signal.removeEventListener('abort', turn.aborted);
  }
}

const longest = (caps: readonly Cap[]): number => caps.reduce((wait, cap) => Math.max(wait, cap.waitMs()), 0);
