/**
 * Values by domain, kept for the labels that were asked for lately. The deliveries of a batch differ by their domain and
 * alternate between a few senders and nodes, so what is found once need not be looked up by a long text again.
 */
const KEPT_LABELS = 8;
const KEPT_DOMAINS = 20_000;

interface Entry<L, V> {
  readonly labels: L;
  readonly byDomain: Map<string, V>;
}

export class RecentLabels<L, V> {
  readonly #same: (a: L, b: L) => boolean;
  readonly #entries: Entry<L, V>[] = [];

  constructor(same: (a: L, b: L) => boolean) {
    this.#same = same;
  }

  /** What is kept for the labels; for the caller to add to. */
  of(labels: L): Map<string, V> {
    for (const { labels: known, byDomain } of this.#entries)
      if (this.#same(known, labels)) {
        if (byDomain.size > KEPT_DOMAINS) byDomain.clear();
        return byDomain;
      }
    if (this.#entries.length >= KEPT_LABELS) this.#entries.shift();
    const byDomain = new Map<string, V>();
    this.#entries.push({ labels, byDomain });
    return byDomain;
  }

  clear(): void {
    this.#entries.length = 0;
  }
}
