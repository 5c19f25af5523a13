/**
 * The sessions of a lane, shared by its destinations, so that no set of hosts keeps the others from sending:
 *
 * - a few places stay free for destinations that have none, so a host that hangs never holds them all;
 * - who waits for a place gets that of an idle session of another, or of one that has more than its part, after its
 *   transaction;
 * - a place that becomes free goes to who has waited longest.
 *
 * Where there are fewer than four places none can stay free: there hosts that are silent are given up sooner and rest
 * longer (`Destination.scarce`).
 */

/** A destination, as far as places are concerned. */
export interface PlaceUser {
  pump(): void;
  /** Ends up to `count` idle sessions; says how many. */
  evict(count: number): number;
}

/** One in so many places is kept for destinations without a session. */
export const KEPT_SHARE = 4;
/** Messages after which a session ends when more wait for places than there are. */
const TURN_MESSAGES = 20;

/** A receiver of ten thousand domains may be as many destinations: nothing here goes through all of them. */
export class LanePlaces {
  readonly #users = new Set<PlaceUser>();
  /** Sessions of those that have some. */
  readonly #sessions = new Map<PlaceUser, number>();
  /** Who has waited longest is first. */
  readonly #waiting = new Set<PlaceUser>();
  #open = 0;
  #waking = false;
  /** As of the last look: a reload may change it. */
  #most = Infinity;

  /** Sessions that are open or being opened. */
  get open(): number {
    return this.#open;
  }

  join(user: PlaceUser): void {
    this.#users.add(user);
  }

  leave(user: PlaceUser): void {
    this.#users.delete(user);
    this.#sessions.delete(user);
    this.#waiting.delete(user);
  }

  /** Takes one of `most` places; otherwise the destination is pumped when it may have one. */
  reserve(user: PlaceUser, most: number): boolean {
    this.#most = most;
    const more = this.#of(user) < this.#limit(user, most);
    if (more && this.#open < most) {
      this.#waiting.delete(user);
      this.#take(user, 1);
      return true;
    }
    if (!more || this.#users.size < 2 || this.#waiting.has(user)) return false;
    this.#waiting.add(user);
    for (const other of this.#sessions.keys()) if (other !== user && other.evict(1) > 0) break;
    return false;
  }

  /** The place was not needed after all. */
  cancel(user: PlaceUser): void {
    this.#take(user, -1);
  }

  /** A session has ended: who waits comes first. */
  release(user: PlaceUser): void {
    this.#take(user, -1);
    if (this.#waking) return;
    this.#waking = true;
    try {
      for (const other of this.#waiting) {
        if (this.#open >= this.#most) return;
        this.#waiting.delete(other);
        other.pump();
      }
    } finally {
      this.#waking = false;
    }
  }

  /** Another destination waits: idle sessions of this one end. */
  wanted(user: PlaceUser): boolean {
    return this.#waiting.size > (this.#waiting.has(user) ? 1 : 0);
  }

  /** Whether there are other destinations. */
  get shared(): boolean {
    return this.#users.size > 1;
  }

  /**
   * A session of this destination that has sent so many messages ends, since others wait and it has more than its part,
   * or had its turn where there are fewer places than destinations that want one.
   */
  mustYield(user: PlaceUser, most: number, sent = 0): boolean {
    if (this.#waiting.size === 0 || this.#open < most || !this.wanted(user)) return false;
    let sharing = this.#waiting.size;
    for (const other of this.#sessions.keys()) if (!this.#waiting.has(other)) sharing++;
    if (sharing > most && sent >= TURN_MESSAGES) return true;
    return this.#of(user) > Math.max(1, Math.floor(most / sharing));
  }

  #of(user: PlaceUser): number {
    return this.#sessions.get(user) ?? 0;
  }

  #limit(user: PlaceUser, most: number): number {
    const others = this.#users.size - 1;
    const without = others - this.#sessions.size + (this.#sessions.has(user) ? 1 : 0);
    return most - Math.min(without, Math.floor(most / KEPT_SHARE));
  }

  #take(user: PlaceUser, by: 1 | -1): void {
    const sessions = this.#of(user) + by;
    if (sessions > 0) this.#sessions.set(user, sessions);
    else this.#sessions.delete(user);
    this.#open += by;
  }
}
