/** The newest events of each type: a flood of one does not wash the seldom ones out. Fixed memory. */
import type { EventDraft } from '../queue/index.ts';

/** Kept of each type. */
export const OF_EACH = 60;

interface Numbered {
  readonly number: number;
  readonly event: EventDraft;
}

export class RecentEvents {
  readonly #byType = new Map<string, Numbered[]>();
  #number = 0;

  /** The number of the last event. */
  get last(): number {
    return this.#number;
  }

  add(event: EventDraft): void {
    let ring = this.#byType.get(event.type);
    if (!ring) this.#byType.set(event.type, (ring = []));
    const entry = { number: ++this.#number, event };
    if (ring.length < OF_EACH) ring.push(entry);
    else ring[this.#place(event.type)] = entry;
  }

  /** Those after `number` that are kept, oldest first. */
  after(number: number): EventDraft[] {
    return [...this.#byType.values()]
      .flat()
      .filter((entry) => entry.number > number)
      .sort((a, b) => a.number - b.number)
      .map(({ event }) => event);
  }

  readonly #next = new Map<string, number>();

  #place(type: string): number {
    const place = this.#next.get(type) ?? 0;
    this.#next.set(type, (place + 1) % OF_EACH);
    return place;
  }
}
