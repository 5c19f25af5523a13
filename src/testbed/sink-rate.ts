/**
 * Finds out when a peer is faster than its limit: the last `count` arrivals in a ring, so any window of the given
 * length is watched, not only those that begin on the minute. What is refused does not count.
 */
import type { SinkRateLimit } from './sink-options.ts';

class Ring {
  readonly #times: Float64Array;
  #next = 0;

  constructor(size: number) {
    this.#times = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  }

  /** False when the oldest of the last arrivals is not `perMs` old yet (half-open window). */
  admit(nowMs: number, perMs: number): boolean {
    if (nowMs - this.#times[this.#next]! < perMs) return false;
    this.#times[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#times.length;
    return true;
  }
}

export class RateWatch {
  readonly #perMs: number;
  readonly #allowed: number;
  readonly #rings = new Map<string, Ring>();

  constructor(limit: SinkRateLimit) {
    this.#perMs = limit.perMs;
    this.#allowed = Math.max(1, Math.floor(limit.count * (1 + (limit.tolerance ?? 0))));
  }

  admit(peerAddress: string, nowMs: number): boolean {
    let ring = this.#rings.get(peerAddress);
    if (ring === undefined) this.#rings.set(peerAddress, (ring = new Ring(this.#allowed)));
    return ring.admit(nowMs, this.#perMs);
  }
}
