/** What a limit that lanes share is for those who lease, send and store: a cap (caps.ts), or that of a campaign. */
import type { LimitMark } from '../../queue/index.ts';
import type { ParkingGate } from './parking.ts';
import type { Cap } from './token-line.ts';

export interface SharedLimit extends ParkingGate {
  /** A request to lease so many begins: to be told once what it brought. */
  requested(count: number): (brought: readonly { readonly id: string }[]) => void;
  /** Whether the delivery may go, as far as this limit is concerned: it was leased under it, and its token comes soon. */
  lets(id: string): boolean;
  /** What deliveries of a transaction, which are ready, pass beside the gates of their lane. */
  capOf(ids: readonly string[]): Cap;
  /** How many of `most` deliveries of one transaction could have their tokens just now. */
  together(most: number): number;
  /** The delivery is not in memory any more. */
  settled(id: string): void;
  /** What to store before so many are sent: by default all in memory, and all that is asked for. */
  stored(count?: number): LimitMark;
}
