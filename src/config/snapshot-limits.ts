/** Limits over all nodes: caps towards an ISP, and how often one address is mailed. */
import type { Rate } from '../core/index.ts';

/** A limit that all nodes share. */
export interface CapConfig {
  readonly name: string;
  readonly isp: string;
  /** Null: mail of all senders counts. */
  readonly sender: string | null;
  readonly rate: Rate | null;
  readonly burst: number;
  readonly dailyLimit: number | null;
}

/** At most `max` messages to one address in `windowMs`. */
export interface PolicyConfig {
  readonly name: string;
  readonly max: number;
  readonly windowMs: number;
  readonly per: 'account' | 'campaign' | 'group';
  /** Null: for each. */
  readonly only: readonly string[] | null;
  readonly bands: readonly ('priority' | 'geo' | 'standard')[];
}
