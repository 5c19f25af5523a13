/**
 * A map with a bound and an expiry: least recently used entries leave first, expired ones are never returned.
 * Time is the monotonic clock of the caller. Memory: at most `maxEntries`, whatever is asked.
 */
interface Entry<T> {
  readonly value: T;
  readonly expiresAtMs: number;
}

export class ExpiringCache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #maxEntries: number;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The entry when it is fresh at `nowMs`; it becomes the most recently used. */
  get(key: string, nowMs: number): Entry<T> | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    if (entry.expiresAtMs <= nowMs) return undefined;
    this.#entries.set(key, entry);
    return entry;
  }

  set(key: string, value: T, expiresAtMs: number): void {
    this.#entries.delete(key);
    if (this.#maxEntries < 1) return;
    while (this.#entries.size >= this.#maxEntries) this.#evictOldest();
    this.#entries.set(key, { value, expiresAtMs });
  }

  #evictOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}
