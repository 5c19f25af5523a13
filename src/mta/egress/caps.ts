/**
 * Limits that several nodes share: towards an ISP as a whole, or of one sender towards it. Each is one limiter that
 * all lanes of the ISP spend from, so it is as exact as that of a node. Mail whose cap is used up stays in the store
 * (parking.ts), so that the other senders of the node go on.
 */
import type { CapConfig, Config } from '../../config/index.ts';
import type { Clock } from '../../core/index.ts';
import type { LimitMark } from '../../queue/index.ts';
import { Held } from './held.ts';
import { Limiter, type LimiterMark, type LimiterOptions } from './limiter.ts';
import { Parking } from './parking.ts';
import type { SharedLimit } from './shared-limit.ts';
import { type Cap, CAP_WAIT_MS } from './token-line.ts';

export class SharedCap implements SharedLimit {
  readonly name: string;
  readonly limiter: Limiter;
  readonly parking = new Parking(this);
  readonly #held: Held;
  #about: string;

  constructor(clock: Clock, config: CapConfig, timezone: string, mark: LimiterMark | undefined) {
    this.name = config.name;
    this.#about = aboutOf(config);
    this.limiter = new Limiter(clock, optionsOf(config, timezone), mark);
    this.#held = new Held({
      clock,
      waitMs: (n) => this.limiter.waitMs(n),
      onRoom: () => this.parking.lookAgain(),
    });
  }

  configure(config: CapConfig, timezone: string): void {
    // What is in memory was leased under another cap.
    if (aboutOf(config) !== this.#about) this.#held.clear();
    this.#about = aboutOf(config);
    this.limiter.configure(optionsOf(config, timezone));
  }

  requested(count: number): ReturnType<SharedLimit['requested']> {
    return this.#held.requested(count);
  }

  lets(id: string): boolean {
    return this.#held.covers(id) && this.limiter.waitMs() <= CAP_WAIT_MS;
  }

  capOf(ids: readonly string[]): Cap {
    return this.#held.capOf(ids, {
      waitMs: () => this.limiter.waitMs(),
      take: (...how) => this.#take(...how),
    });
  }

  together(most: number): number {
    return this.limiter.within(0, most);
  }

  settled(id: string): void {
    this.#held.settled(id);
  }

  room(most: number): number {
    return this.#held.room(most);
  }

  nextRoomMs(): number {
    return this.#held.nextRoomMs();
  }

  stored(count = this.#held.size): LimitMark {
    return { key: markKey(this.name), value: this.limiter.mark(count) };
  }

  #take(id: string | undefined, since: number | undefined): void {
    this.limiter.take(since);
    if (id !== undefined) this.#held.spent(id);
  }
}

/** The caps that concern a lane. */
export interface LaneCaps {
  /** Of the ISP, whoever sends. */
  readonly all: readonly SharedCap[];
  /** With those of the ISP, for senders that have caps of their own. */
  readonly bySender: ReadonlyMap<string, readonly SharedCap[]>;
}

export const NO_CAPS: LaneCaps = { all: [], bySender: new Map() };

export class Caps {
  readonly #clock: Clock;
  readonly #stored: (key: string) => unknown;
  readonly #caps = new Map<string, { readonly cap: SharedCap; config: CapConfig }>();

  constructor(clock: Clock, config: Config, stored: (key: string) => unknown) {
    this.#clock = clock;
    this.#stored = stored;
    this.configure(config);
  }

  [Symbol.iterator](): Iterator<SharedCap> {
    return [...this.#caps.values()].map(({ cap }) => cap).values();
  }

  /** The caller wakes all queues afterwards. */
  configure({ caps, timezone }: Config): void {
    for (const [name, { cap }] of this.#caps) {
      if (!caps.some((one) => one.name === name)) this.#caps.delete(name);
      cap.parking.forget();
    }
    for (const config of caps) {
      const known = this.#caps.get(config.name);
      if (known) {
        known.config = config;
        known.cap.configure(config, timezone);
      } else {
        const mark = this.#stored(markKey(config.name)) as LimiterMark | undefined;
        this.#caps.set(config.name, { cap: new SharedCap(this.#clock, config, timezone, mark), config });
      }
    }
  }

  stop(): void {
    for (const cap of this) cap.parking.close();
  }

  has(name: string): boolean {
    return this.#caps.has(name);
  }

  /** Those of an ISP. */
  of(isp: string): LaneCaps {
    const mine = [...this.#caps.values()].filter(({ config }) => config.isp === isp);
    if (mine.length === 0) return NO_CAPS;
    const ofSender = (name: string | null): SharedCap[] =>
      mine.filter(({ config }) => config.sender === name).map(({ cap }) => cap);
    const all = ofSender(null);
    const senders = new Set(mine.flatMap(({ config }) => config.sender ?? []));
    return { all, bySender: new Map([...senders].map((name) => [name, [...all, ...ofSender(name)]])) };
  }
}

const aboutOf = ({ isp, sender }: CapConfig): string => `${isp}\0${sender ?? ''}`;
const markKey = (name: string): string => `cap\0${name}`;

const optionsOf = ({ rate, burst, dailyLimit }: CapConfig, timezone: string): LimiterOptions => ({
  rate,
  burst,
  dailyLimit,
  timezone,
});
