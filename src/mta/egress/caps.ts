/**
 * Limits that several nodes share: towards an ISP as a whole, or of one sender towards it. Each is one limiter that
 * all lanes of the ISP spend from, so it is as exact as that of a node. A lane waits for the ISP's; mail of a sender
 * whose cap is used up stays in the store (parking.ts), so that the other senders of the node go on.
 */
import type { CapConfig, Config } from '../../config/index.ts';
import type { Clock } from '../../core/index.ts';
import type { LimitMark } from '../../queue/index.ts';
import { Limiter, type LimiterMark, type LimiterOptions } from './limiter.ts';
import { Parking, type ParkingGate } from './parking.ts';
import { CAP_WAIT_MS, SOON_MS } from './token-line.ts';

/** As much of a lane as a cap looks at. */
interface Spender {
  readonly inFlight: number;
  readonly leasing: number;
}

export class SharedCap implements ParkingGate {
  readonly name: string;
  readonly limiter: Limiter;
  readonly lanes = new Set<Spender>();
  /** Queues of the sender that wait for it. */
  readonly parking = new Parking(this);

  constructor(clock: Clock, config: CapConfig, timezone: string, mark: LimiterMark | undefined) {
    this.name = config.name;
    this.limiter = new Limiter(clock, optionsOf(config, timezone), mark);
  }

  configure(config: CapConfig, timezone: string): void {
    this.limiter.configure(optionsOf(config, timezone));
  }

  /** How many of `most` deliveries of the sender may be leased now. */
  room(most: number): number {
    return this.limiter.waitMs() > SOON_MS ? 0 : this.limiter.within(CAP_WAIT_MS, most);
  }

  nextRoomMs(): number {
    return this.limiter.waitMs();
  }

  /** What to store before the lanes spend what they have in memory. */
  mark(): LimitMark {
    let n = 0;
    for (const lane of this.lanes) n += lane.inFlight + lane.leasing;
    return { key: markKey(this.name), value: this.limiter.mark(n) };
  }
}

/** The caps that concern a lane. */
export interface LaneCaps {
  /** Of the ISP, whoever sends. */
  readonly all: readonly SharedCap[];
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
    for (const { cap } of this.#caps.values()) cap.parking.close();
  }

  /** Those of the lane's ISP, which from now on count the lane's mail. */
  join(lane: Spender, isp: string): LaneCaps {
    const mine = [...this.#caps.values()].filter(({ cap, config }) => {
      cap.lanes.delete(lane);
      return config.isp === isp;
    });
    if (mine.length === 0) return NO_CAPS;
    const bySender = new Map<string, SharedCap[]>();
    const all: SharedCap[] = [];
    for (const { cap, config } of mine) {
      cap.lanes.add(lane);
      if (config.sender === null) all.push(cap);
      else bySender.set(config.sender, [...(bySender.get(config.sender) ?? []), cap]);
    }
    return { all, bySender };
  }
}

const markKey = (name: string): string => `cap\0${name}`;

const optionsOf = ({ rate, burst, dailyLimit }: CapConfig, timezone: string): LimiterOptions => ({
  rate,
  burst,
  dailyLimit,
  timezone,
});
