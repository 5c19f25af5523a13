/** Where a session of a node needs a place: at the node, and among the sessions of all nodes. */
import type { PlaceUser, SessionPlaces } from './session-places.ts';

export type { PlaceUser };

export class SessionLevels {
  readonly #ofNode: SessionPlaces;
  readonly #all: SessionPlaces;
  readonly #both: readonly SessionPlaces[];

  constructor(ofNode: SessionPlaces, all: SessionPlaces) {
    this.#ofNode = ofNode;
    this.#all = all;
    this.#both = [ofNode, all];
  }

  /** Sessions of the node that are open or being opened. */
  get open(): number {
    return this.#ofNode.open;
  }

  /** Whether many hosts that have not answered yet are being tried at once. */
  get crowded(): boolean {
    return this.#ofNode.crowded || this.#all.crowded;
  }

  /** Whether there is no place for another session soon. */
  get short(): boolean {
    return this.#ofNode.short || this.#all.short;
  }

  /** Takes a place for a session; false when there is none: then the destination is pumped when there may be. */
  reserve(user: PlaceUser): boolean {
    if (!this.#ofNode.room(user) || !this.#all.room(user)) return false;
    for (const places of this.#both) places.take(user);
    return true;
  }

  /** A session that was being opened is open. */
  opened(user: PlaceUser): void {
    for (const places of this.#both) places.opened(user);
  }

  /** A session has ended; those that waited for a place come first: with other nodes too, or a full node kept its own. */
  ended(user: PlaceUser): void {
    for (const places of this.#both) places.release(user);
    for (const places of [this.#all, this.#ofNode]) places.wake();
  }

  /** Whether a session that has no mail may stay, until others want its place. */
  keepsIdle(user: PlaceUser): boolean {
    if (this.#both.some(({ wanted }) => wanted)) return false;
    for (const places of this.#both) places.keepsIdle(user);
    return true;
  }

  /** Whether a session that has sent so many messages ends, since others wait for its place. */
  mustYield(user: PlaceUser, sent: number): boolean {
    return this.#both.some((places) => places.mustYield(user, sent));
  }

  /** Why it has no session, or no more of them, in words. */
  waiting(user: PlaceUser): string | undefined {
    const ofNode = this.#ofNode.waiting(user);
    if (ofNode !== undefined) return `${ofNode} (max_sessions of the node)`;
    const ofAll = this.#all.waiting(user);
    return ofAll && `${ofAll} (egress.max_sessions)`;
  }

  /** It is forgotten. */
  leave(user: PlaceUser): void {
    for (const places of this.#both) places.leave(user);
  }
}
