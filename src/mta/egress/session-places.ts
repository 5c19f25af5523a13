/**
 * The sessions that a node may have, or all nodes together, and who waits for a place:
 *
 * - hosts that have not answered yet hold half of the places at most between them: a host that is dead holds its place
 *   until the connection times out, and a list with thousands of those would leave none for mail that moves;
 * - who waits gets the place of an idle session of another, or of one that has had its turn;
 * - a place that becomes free goes to who has waited longest, hosts that are tried first while they have less than half.
 *
 * What the destinations of a lane may have of these is shared by `lane-places.ts`.
 */
import type { PlaceUser as LanePlaceUser } from './lane-places.ts';

/** A destination, as far as places are concerned. */
export interface PlaceUser extends LanePlaceUser {
  /** A session is open, or the last one could be opened. */
  readonly answered: boolean;
}

/** Messages after which a session ends when others wait for its place. */
const TURN_MESSAGES = 20;

/** Each node has thousands of destinations: nothing here goes through all of them. */
export class SessionPlaces {
  readonly #most: () => number;
  /** Those that have answered and wait, the longest first. */
  readonly #waiting = new Set<PlaceUser>();
  /** Those that have not answered and wait, the longest first. */
  readonly #untried = new Set<PlaceUser>();
  /** Those that have a place and have not answered yet: each has one session. */
  readonly #trying = new Set<PlaceUser>();
  /** Those that may have idle sessions, the longest idle first. */
  readonly #idle = new Set<PlaceUser>();
  #open = 0;
  /** Sessions that end because others wait. */
  #ending = 0;
  #waking = false;

  constructor(most: () => number) {
    this.#most = most;
  }

  /** Sessions that are open or being opened. */
  get open(): number {
    return this.#open;
  }

  /** Whether more wait for a place than sessions end for: one that is idle ends at once when it is asked for. */
  get short(): boolean {
    return this.#full && this.#demand > this.#ending;
  }

  /** Whether somebody waits for a place: no session is kept idle. */
  get wanted(): boolean {
    return this.#full && this.#demand > 0;
  }

  /** Whether many hosts are being tried at once: they have less time to answer, since others may come to wait. */
  get crowded(): boolean {
    return this.#trying.size * 2 > this.#mostTrying;
  }

  /** Whether there is a place for another session of this one; else it is pumped when there may be. */
  room(user: PlaceUser): boolean {
    if (this.#open < this.#most() && (user.answered || this.#mayTry)) return true;
    const [line, other] = user.answered ? [this.#waiting, this.#untried] : [this.#untried, this.#waiting];
    other.delete(user);
    if (line.has(user)) return false;
    line.add(user);
    if (this.#open >= this.#most() && this.#demand > this.#ending) this.#evict();
    return false;
  }

  /** Takes a place, which `room` said is there. */
  take(user: PlaceUser): void {
    this.#open++;
    if (!user.answered) this.#trying.add(user);
    this.#waiting.delete(user);
    this.#untried.delete(user);
  }

  /** A session of it has been opened. */
  opened(user: PlaceUser): void {
    if (this.#trying.delete(user)) this.wake();
  }

  /** A session of it has ended; the caller wakes who waits. */
  release(user: PlaceUser): void {
    this.#open--;
    this.#ending = Math.max(0, this.#ending - 1);
    this.#trying.delete(user);
  }

  /** Those that wait come while there are places. Who gives the place back at once leaves the next one to the first caller. */
  wake(): void {
    if (this.#waking) return;
    this.#waking = true;
    try {
      while (this.#open < this.#most()) {
        const line = this.#untried.size > 0 && this.#mayTry ? this.#untried : this.#waiting;
        const [next] = line;
        if (!next) return;
        line.delete(next);
        next.pump();
      }
    } finally {
      this.#waking = false;
    }
  }

  /** It has a session that is idle from now on. */
  keepsIdle(user: PlaceUser): void {
    this.#idle.add(user);
  }

  /** A session of it that has sent so many messages ends, since it had its turn and others wait. */
  mustYield(user: PlaceUser, sent: number): boolean {
    if (sent < TURN_MESSAGES || this.#open < this.#most()) return false;
    // Its own wish for more goes behind theirs, or it would get the place that it leaves.
    const more = this.#waiting.delete(user);
    const yields = this.#demand > this.#ending;
    if (more) this.#waiting.add(user);
    if (yields) this.#ending++;
    return yields;
  }

  /** Why it has no session, or no more of them; undefined when it does not wait for a place. */
  waiting(user: PlaceUser): string | undefined {
    if (this.#open >= this.#most() && (this.#waiting.has(user) || this.#untried.has(user)))
      return `all ${this.#most()} sessions are in use`;
    if (!this.#untried.has(user)) return undefined;
    return `${this.#trying.size} hosts that have not answered are being tried, as many as may of ${this.#most()} sessions`;
  }

  /** It is forgotten. */
  leave(user: PlaceUser): void {
    for (const users of [this.#waiting, this.#untried, this.#trying, this.#idle]) users.delete(user);
  }

  get #full(): boolean {
    return this.#open >= this.#most();
  }

  get #mostTrying(): number {
    return Math.max(1, Math.floor(this.#most() / 2));
  }

  get #mayTry(): boolean {
    return this.#trying.size < this.#mostTrying;
  }

  /** How many places would be taken at once if they were free. */
  get #demand(): number {
    return this.#waiting.size + Math.min(this.#untried.size, this.#mostTrying - this.#trying.size);
  }

  #evict(): void {
    for (const other of this.#idle) {
      if (other.evict(1) > 0) {
        this.#ending++;
        return;
      }
      this.#idle.delete(other);
    }
  }
}
