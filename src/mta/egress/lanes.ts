/** The lanes of a node: made when mail for an ISP comes, with what was stored of them; what they announce and store. */
import { withoutNames } from '../../core/index.ts';
import type { NodeConfig, StrategyConfig } from '../../config/index.ts';
import type { EventDraft, LimitMark } from '../../queue/index.ts';
import type { EgressContext } from './context.ts';
import { Lane, type LaneMark } from './lane.ts';
import { strategyOf } from './node-strategy.ts';
import type { SpeedChange } from './speed-control.ts';

/** Where the mark of a lane is stored. */
export const laneMarkKey = (node: string, laneKey: string): string => `${node}\0${laneKey}`;

/** Lanes that leave memory with one look, so that their marks are one commit and no later one is overwritten. */
const LEAVE_AT_ONCE = 2_000;

export class Lanes {
  readonly #context: EgressContext;
  readonly #onToken: (lane: Lane) => void;
  readonly #lanes = new Map<string, Lane>();
  /** Unused since the last look, when what they have counted was given to the store. */
  readonly #leaving = new Set<Lane>();
  #config: NodeConfig;

  constructor(config: NodeConfig, context: EgressContext, onToken: (lane: Lane) => void) {
    this.#config = config;
    this.#context = context;
    this.#onToken = onToken;
  }

  [Symbol.iterator](): Iterator<Lane> {
    return this.#lanes.values();
  }

  known(key: string): Lane | undefined {
    return this.#lanes.get(key);
  }

  /** The lane of an ISP; undefined stands for a domain of none, whose key names the hosts. */
  get(key: string, isp: string | undefined): Lane {
    const lane = this.#lanes.get(key) ?? this.#add(key, isp);
    this.#leaving.delete(lane);
    return lane;
  }

  configure(config: NodeConfig): void {
    this.#config = config;
    const { settings, caps } = this.#context;
    for (const lane of this.#lanes.values()) {
      lane.caps = caps.of(lane.isp);
      lane.configure(this.#strategy(lane.isp), settings.config.timezone, config.warmup);
    }
  }

  /** Locks may be others now. */
  relock(): void {
    for (const lane of this) lane.locks = this.#context.locks.of(this.#config.name, lane.key);
  }

  /** Paused warm-ups go on, also those towards ISPs for which no mail has come since the start. */
  resumeWarmups(): void {
    for (const { name } of this.#context.settings.config.isps) {
      const key = `isp:${name}`;
      const mark = this.#context.queue.limitMark(this.#markKey(key)) as LaneMark | undefined;
      if (mark?.warmup && mark.warmup.pausedUntil > 0) this.get(key, name);
    }
    for (const lane of this) lane.resumeWarmup();
  }

  /**
   * Forgets lanes that nothing uses. One with a limit keeps its count: that of an ISP in memory, that of a set of hosts,
   * of which there may be any number, in the store; it is forgotten with the look after that.
   */
  prune(used: ReadonlySet<Lane>): void {
    const toStore: Lane[] = [];
    for (const [key, lane] of this.#lanes) {
      lane.look();
      if (used.has(lane) || lane.sessions + lane.inFlight + lane.leasing > 0) continue;
      if (lane.unlimited || this.#leaving.has(lane)) {
        this.#leaving.delete(lane);
        this.#lanes.delete(key);
        lane.stop();
      } else if (key.startsWith('mx:') && !lane.slowed && toStore.length < LEAVE_AT_ONCE) toStore.push(lane);
    }
    if (toStore.length > 0) this.#leave(toStore);
  }

  #leave(lanes: readonly Lane[]): void {
    for (const lane of lanes) this.#leaving.add(lane);
    const marks = lanes.flatMap((lane) => this.marks(lane, 0));
    this.#context.queue.store(marks).catch(() => lanes.forEach((lane) => this.#leaving.delete(lane)));
  }

  /**
   * What must be stored before so many deliveries are sent (by default all in memory, and all that is asked for);
   * nothing where nothing limits.
   */
  marks(lane: Lane, count?: number): readonly LimitMark[] {
    return lane.unlimited ? [] : [this.#mark(lane, count)];
  }

  #add(key: string, isp: string | undefined): Lane {
    const { clock, settings, queue, caps, locks } = this.#context;
    const lane: Lane = new Lane({
      key,
      isp,
      strategy: this.#strategy(isp),
      timezone: settings.config.timezone,
      clock,
      mark: queue.limitMark(this.#markKey(key)) as LaneMark | undefined,
      warmup: this.#config.warmup,
      onToken: () => this.#onToken(lane),
      onSpeed: (change) => this.#speedChanged(lane, change),
      onWarmup: (reason) => this.#warmupChanged(lane, reason),
    });
    lane.caps = caps.of(lane.isp);
    lane.locks = locks.of(this.#config.name, key);
    this.#lanes.set(key, lane);
    return lane;
  }

  #speedChanged(lane: Lane, { from, to, reason, notable }: SpeedChange): void {
    if (!notable) return;
    const speed = { from: from ?? null, to: to ?? null };
    this.#context.report('info', `speed towards ${lane.isp}: ${withoutNames(reason)}`, {
      node: this.#config.name,
      ...speed,
    });
    this.#announce(lane, { type: 'speed', reason, speed });
  }

  #warmupChanged(lane: Lane, reason: string): void {
    const paused = (lane.warmup?.state.pausedUntil ?? 0) > 0;
    this.#context.report(paused ? 'warn' : 'info', `${lane.isp}: ${withoutNames(reason)}`, {
      node: this.#config.name,
    });
    this.#announce(lane, { type: paused ? 'alert' : 'warmup', reason });
  }

  #announce(lane: Lane, what: Pick<EventDraft, 'type' | 'reason' | 'speed'>): void {
    const { queue, clock } = this.#context;
    const about = { node: this.#config.name, source_ip: this.#config.address, isp: lane.isp };
    void queue.announce({ ...what, ...about, time: clock.now() }, this.#mark(lane)).catch(() => undefined);
  }

  #mark(lane: Lane, count?: number): LimitMark {
    return { key: this.#markKey(lane.key), value: lane.mark(count) };
  }

  #markKey(laneKey: string): string {
    return laneMarkKey(this.#config.name, laneKey);
  }

  #strategy(isp: string | undefined): StrategyConfig {
    return strategyOf(this.#context.settings.config, this.#config, isp);
  }
}
