/**
 * How much one peer may ask of the listener: sessions at once, and messages per window (a bucket that fills evenly).
 * A peer is an IPv4 address, or the /64 of an IPv6 address. What is held in memory is bounded: beyond MAX_PEERS those
 * that have not been seen for longest, and have no session, are forgotten.
 */
import { isIPv6 } from 'node:net';
import type { Rate } from '../../core/index.ts';

interface Peer {
  sessions: number;
  /** Messages it may still send, at the time `at` (ms of a clock that never jumps). */
  tokens: number;
  at: number;
}

export interface PeerLimitsOptions {
  readonly maxSessions: () => number;
  readonly rate: () => Rate;
  readonly mono: () => number;
}

const MAX_PEERS = 10_000;

export class PeerLimits {
  readonly #options: PeerLimitsOptions;
  readonly #peers = new Map<string, Peer>();

  constructor(options: PeerLimitsOptions) {
    this.#options = options;
  }

  /** Whether one more session of that address is taken; if so, it ends with `close`. */
  open(address: string): boolean {
    const peer = this.#peer(peerOf(address));
    if (peer.sessions >= this.#options.maxSessions()) return false;
    peer.sessions++;
    return true;
  }

  close(address: string): void {
    const peer = this.#peers.get(peerOf(address));
    if (peer) peer.sessions--;
  }

  /** Whether one more message of that address is taken now; if so, it is counted. */
  take(address: string): boolean {
    const { count, perMs } = this.#options.rate();
    const peer = this.#peer(peerOf(address));
    const now = this.#options.mono();
    peer.tokens = Math.min(count, peer.tokens + ((now - peer.at) * count) / perMs);
    peer.at = now;
    if (peer.tokens < 1) return false;
    peer.tokens--;
    return true;
  }

  #peer(name: string): Peer {
    const known = this.#peers.get(name);
    if (known) {
      this.#peers.delete(name);
      this.#peers.set(name, known);
      return known;
    }
    if (this.#peers.size >= MAX_PEERS) this.#forget();
    const fresh = { sessions: 0, tokens: this.#options.rate().count, at: this.#options.mono() };
    this.#peers.set(name, fresh);
    return fresh;
  }

  #forget(): void {
    for (const [name, { sessions }] of this.#peers) {
      if (sessions > 0) continue;
      this.#peers.delete(name);
      return;
    }
  }
}

/** The first four groups of an IPv6 address: one customer has a /64. */
export function peerOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]!.toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
