/**
 * Limits of campaigns: set and started by the platform or an operator while the campaign runs, stored with an event,
 * asked by the destinations before they lease mail of the campaign. Campaigns without a limit cost a look at an empty
 * map.
 */
import type { Clock } from '../../core/index.ts';
import type { Queue } from '../../queue/index.ts';
import { CampaignCap, type CampaignLimit, type CapMark } from './campaign-cap.ts';

/** Campaigns that may have limits at a time. */
const MOST_LIMITED = 10_000;
const KIND = 'campaign_limit';

/** More campaigns have limits than may. */
export class TooManyLimits extends Error {}

/** The limits are those of somebody who may touch the mail of all. */
export class LimitsStand extends Error {}

/** Who asks: `bound`, somebody who may touch a part of the mail only. */
interface Asking {
  readonly bound?: boolean;
}

interface Stored {
  readonly limit: CampaignLimit;
  readonly start: number;
  /** By whom they were set: such a one changes no limits that have not this. */
  readonly bound?: true | undefined;
}

export interface CampaignName {
  readonly account: string;
  readonly campaign: string;
}

export interface CampaignLimitsOptions {
  readonly queue: Queue;
  readonly clock: Clock;
}

export class CampaignLimits {
  readonly #options: CampaignLimitsOptions;
  readonly #caps = new Map<string, CampaignCap>();
  /** Those that were set by callers that are bound. */
  readonly #bound = new Set<string>();
  #line: Promise<unknown> = Promise.resolve();

  constructor(options: CampaignLimitsOptions) {
    this.#options = options;
    const { queue, clock } = options;
    for (const { key, value } of queue.controls()) {
      const [kind, account = '', campaign = ''] = key;
      if (kind !== KIND) continue;
      const name = nameOf({ account, campaign });
      const at = markKey(name);
      const mark = queue.limitMark(at) as CapMark | undefined;
      const { bound, ...stored } = value as Stored;
      this.#caps.set(name, new CampaignCap({ clock, key: at, ...stored, mark }));
      if (bound) this.#bound.add(name);
    }
  }

  [Symbol.iterator](): Iterator<CampaignCap> {
    return this.#caps.values();
  }

  /** The limits of a campaign; undefined when it has none. */
  of(name: CampaignName): CampaignCap | undefined {
    return this.#caps.size === 0 ? undefined : this.#caps.get(nameOf(name));
  }

  /**
   * Replaces all limits of the campaign, or takes them away. What was sent under them stays counted. Throws TooManyLimits
   * or LimitsStand.
   */
  set(
    name: CampaignName,
    limit: CampaignLimit | undefined,
    reason: string,
    { bound }: Asking = {},
  ): Promise<void> {
    return this.#inTurn(() => {
      this.#mayChange(name, bound);
      return this.#set(name, limit, { reason, bound: bound || undefined });
    });
  }

  /** The cap per start counts anew. False when the campaign has no limits. Throws LimitsStand. */
  start(name: CampaignName, reason: string, { bound }: Asking = {}): Promise<boolean> {
    return this.#inTurn(() => {
      this.#mayChange(name, bound);
      return this.#start(name, reason);
    });
  }

  stop(): void {
    for (const cap of this) cap.parking.close();
  }

  #mayChange(name: CampaignName, bound: boolean | undefined): void {
    if (bound && this.of(name) && !this.#bound.has(nameOf(name)))
      throw new LimitsStand(`the limits of campaign ${name.campaign} are an operator's`);
  }

  async #set(
    name: CampaignName,
    limit: CampaignLimit | undefined,
    { reason, bound }: { readonly reason: string; readonly bound: true | undefined },
  ): Promise<void> {
    const before = this.of(name);
    if (limit && !before && this.#caps.size >= MOST_LIMITED)
      throw new TooManyLimits(`${MOST_LIMITED} campaigns have limits already; take those of ended ones away`);
    const start = before?.start ?? this.#options.clock.now();
    const stored = limit && { limit, start, bound };
    await this.#store(name, stored, reason);
    this.#apply(name, stored);
  }

  async #start(name: CampaignName, reason: string): Promise<boolean> {
    const before = this.of(name);
    if (!before) return false;
    // Two starts within a millisecond are two.
    const start = Math.max(before.start + 1, this.#options.clock.now());
    const bound = this.#bound.has(nameOf(name)) || undefined;
    const stored = { limit: before.limit, start, bound };
    await this.#store(name, stored, reason);
    this.#apply(name, stored);
    return true;
  }

  #store(name: CampaignName, value: Stored | undefined, reason: string): Promise<void> {
    const { queue, clock } = this.#options;
    const { account, campaign } = name;
    const labels = { account_id: account === '' ? undefined : account, campaign_id: campaign };
    const event = { type: 'operation', time: clock.now(), reason, ...labels } as const;
    const forget = value ? {} : { forget: markKey(nameOf(name)) };
    return queue.control({ key: [KIND, account, campaign], value, event, ...forget });
  }

  #apply(name: CampaignName, stored: Stored | undefined): void {
    const key = nameOf(name);
    const cap = this.#caps.get(key);
    if (stored?.bound) this.#bound.add(key);
    else this.#bound.delete(key);
    if (!stored) this.#caps.delete(key);
    else if (cap) cap.configure(stored.limit, stored.start);
    else {
      const { limit, start } = stored;
      this.#caps.set(key, new CampaignCap({ clock: this.#options.clock, key: markKey(key), limit, start }));
    }
    cap?.parking.release();
  }

  /** One change after the other, so that none builds on what another is about to replace. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#line.then(change);
    this.#line = changed.catch(() => undefined);
    return changed;
  }
}

const nameOf = ({ account, campaign }: CampaignName): string => `${account}\0${campaign}`;
const markKey = (name: string): string => `campaign\0${name}`;
