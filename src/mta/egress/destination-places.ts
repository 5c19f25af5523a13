/**
 * The places for sessions that a destination has, in its lane, at its node and among all nodes. One may be taken before
 * mail for it is leased, so that mail never waits in memory for a place.
 */
import type { Lane } from './lane.ts';
import type { PlaceUser, SessionLevels } from './session-levels.ts';

export type OwnerPlaces = Pick<SessionLevels, 'reserve' | 'opened' | 'mustYield' | 'ended' | 'short'>;

export class DestinationPlaces {
  readonly #user: PlaceUser;
  readonly #lane: Lane;
  readonly #owner: OwnerPlaces;
  #sessions = 0;
  #opening = 0;
  /** The last session that was to be opened could be. */
  #answered = false;
  /** A place is taken for a session that is opened when the lease under way has brought mail. */
  #reserved = false;
  /** The last place that it wanted was not to be had. */
  #waits = false;

  constructor(user: PlaceUser, lane: Lane, owner: OwnerPlaces) {
    this.#user = user;
    this.#lane = lane;
    this.#owner = owner;
    lane.places.join(user);
  }

  /** Sessions that are open or being opened. */
  get sessions(): number {
    return this.#sessions;
  }

  get opening(): number {
    return this.#opening;
  }

  /** A session is open, or the last one could be opened. */
  get answered(): boolean {
    return this.#answered || this.#sessions > this.#opening;
  }

  /** No session, and no place for one soon. */
  get none(): boolean {
    return this.#sessions === 0 && (this.#waits || this.#owner.short);
  }

  /** How many deliveries are worth having in memory: for the sessions that it has when it can have no more. */
  get capacity(): number {
    const { capacity } = this.#lane;
    if (this.#needsNone || !this.#owner.short) return capacity;
    return Math.min(capacity, 2 * Math.max(1, this.#sessions));
  }

  /** Whether what is leased now finds a session, or has a place for one, which is taken; else the user is pumped later. */
  readyToLease(): boolean {
    if (this.#sessions > 0 || this.#reserved || this.#needsNone) return true;
    this.#reserved = this.#lane.mayHandOut() && this.#reserve();
    return this.#reserved;
  }

  /** No session is to be opened after all: the place is for others. */
  giveUp(): void {
    if (!this.#reserved) return;
    this.#reserved = false;
    this.#lane.places.release(this.#user);
    this.#owner.ended(this.#user);
  }

  /**
   * A session may be opened now. No more are opened at once than are open: 1, 2, 4, ... up to what the lane allows. Hosts
   * that cannot be reached, or do not greet, so have one place and not all.
   */
  open(): boolean {
    if (this.#opening > 0 && this.#opening >= this.#sessions - this.#opening) return false;
    if (!this.#lane.mayHandOut() || !(this.#reserved || this.#reserve())) return false;
    this.#reserved = false;
    this.#opening++;
    this.#sessions++;
    return true;
  }

  opened(): void {
    this.#opening--;
    this.#answered = true;
    this.#owner.opened(this.#user);
  }

  openFailed(): void {
    this.#opening--;
    this.#answered = false;
  }

  ended(): void {
    this.#sessions--;
    this.#lane.places.release(this.#user);
  }

  /** A session that has sent so many messages ends, since others wait for its place. */
  mustYield(sent: number): boolean {
    const { places, maxSessions } = this.#lane;
    return places.mustYield(this.#user, maxSessions, sent) || this.#owner.mustYield(this.#user, sent);
  }

  /** What is leased is not sent from here. */
  get #needsNone(): boolean {
    return this.#lane.strategy.drop || this.#lane.overflows;
  }

  #reserve(): boolean {
    const { places, maxSessions } = this.#lane;
    const ofLane = places.reserve(this.#user, maxSessions);
    const has = ofLane && this.#owner.reserve(this.#user);
    if (ofLane && !has) places.cancel(this.#user);
    this.#waits = !has;
    return has;
  }
}
