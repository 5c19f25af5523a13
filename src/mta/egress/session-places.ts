/** How many sessions a node has open, and who waits for a place because it has as many as it may. */
import type { Destination } from './destination.ts';

export class SessionPlaces {
  readonly #full = new Set<Destination>();
  #open = 0;

  /** Sessions that are open or being opened. */
  get open(): number {
    return this.#open;
  }

  /** Whether a destination waits for a place. */
  get wanted(): boolean {
    return this.#full.size > 0;
  }

  /** Takes one of `most` places. When there is none, a session that waits for mail elsewhere makes room. */
  reserve(destination: Destination, most: number, all: Iterable<Destination>): boolean {
    if (this.#open < most) {
      this.#open++;
      return true;
    }
    // The end of the one that is evicted pumps this destination.
    this.#full.add(destination);
    for (const other of all) if (other !== destination && other.evict(1) > 0) break;
    return false;
  }

  /** A session of the destination has ended: those that waited for a place come first. */
  ended(destination: Destination): void {
    this.#open--;
    destination.sessionEnded();
    // A copy: who finds no place again comes back to the end of the set.
    const waiting = [...this.#full];
    this.#full.clear();
    for (const other of waiting) other.pump();
    destination.pump();
  }
}
