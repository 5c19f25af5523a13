/**
 * Limits that several nodes share: towards an ISP as a whole, or of one sender towards it. Each is one limiter that
 * all lanes of the ISP spend from, so it is as exact as that of a node. A lane waits for the ISP's; mail of a sender
 * whose cap is used up goes back with the time of its slot, so that the other senders of the node go on.
 */
import type { CapConfig, Config } from '../../config/index.ts';
import type { Clock } from '../../core/index.ts';
import type { LimitMark } from '../../queue/index.ts';
import { Limiter, type LimiterMark, type LimiterOptions } from './limiter.ts';
import { Slots } from './slots.ts';

/** As much of a lane as a cap looks at. */
interface Spender {
  readonly inFlight: number;
  readonly leasing: number;
}

export class SharedCap {
  readonly name: string;
  readonly limiter: Limiter;
  readonly lanes = new Set<Spender>();
  readonly #slots: Slots;
  #options: LimiterOptions;

  constructor(clock: Clock, config: CapConfig, timezone: string, mark: LimiterMark | undefined) {
    this.name = config.name;
    this.#slots = new Slots(clock);
    this.#options = optionsOf(config, timezone);
    this.limiter = new Limiter(clock, this.#options, mark);
  }

  configure(config: CapConfig, timezone: string): void {
    this.#options = optionsOf(config, timezone);
    this.limiter.configure(this.#options);
  }

  /** Wall ms at which the next delivery that goes back shall come again. */
  nextSlot(): number {
    return this.#slots.next(this.limiter.waitMs(), this.#options.rate);
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

  configure({ caps, timezone }: Config): void {
    for (const name of this.#caps.keys()) if (!caps.some((cap) => cap.name === name)) this.#caps.delete(name);
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
