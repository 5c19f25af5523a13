/** Deliveries handed to a session: which of them have an end, and whose token is still promised. */
import type { Bounce, Refusal } from '../../core/index.ts';
import type { LeasedDelivery } from '../../queue/index.ts';
import type { ClientSession } from '../smtp/index.ts';
import type { Lane } from './lane.ts';
import type { CapsNow } from './token-line.ts';

export interface AttemptInput {
  readonly session: ClientSession;
  /** At least one; several have the same return path and bytes. */
  readonly deliveries: readonly LeasedDelivery[];
  readonly lane: Lane;
  readonly sourceIp: string;
  readonly signal: AbortSignal;
}

/**
 * `unattempted`: ended or given back without a word to the peer. `unsent`: nothing was said about this delivery, since
 * the session had died before (`stale`) or there was no token for it; nothing was recorded.
 */
export type AttemptEnd =
  | { readonly kind: 'delivered' | 'unattempted' }
  | { readonly kind: 'unsent'; readonly stale: boolean }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly bounce: Bounce | undefined };

export class Handed {
  readonly #input: AttemptInput;
  readonly #ends = new Map<LeasedDelivery, AttemptEnd>();
  #promised: number;

  constructor(input: AttemptInput) {
    this.#input = input;
    this.#promised = input.deliveries.length;
  }

  /** Those without an end, in order. */
  get open(): readonly LeasedDelivery[] {
    return this.#input.deliveries.filter((delivery) => !this.#ends.has(delivery));
  }

  /** In the order of the deliveries; all have one. */
  get ends(): readonly AttemptEnd[] {
    return this.#input.deliveries.map((delivery) => this.#ends.get(delivery)!);
  }

  end(delivery: LeasedDelivery, end: AttemptEnd): void {
    this.#ends.set(delivery, end);
  }

  /** It ends without its token. */
  forgo(delivery: LeasedDelivery, end: AttemptEnd): void {
    this.#input.lane.forgo();
    this.#promised--;
    this.end(delivery, end);
  }

  /** No token is spent any more. */
  forgoAll(): void {
    this.#input.lane.forgo(this.#promised);
    this.#promised = 0;
  }

  /** Spends the tokens of those without an end; says how many of them have one now (undefined: all). */
  spend(caps: CapsNow): Promise<number> | undefined {
    const count = this.#promised;
    this.#promised = 0;
    return this.#input.lane.spend(this.#input.signal, caps, count);
  }
}
