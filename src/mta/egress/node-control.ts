/** What operators do with nodes and locks, by name. All of it is durable when the promise resolves. */
import type { SenderConfig } from '../../config/index.ts';
import type { Lock } from './lock.ts';
import type { Locks } from './locks.ts';
import type { NodeModes } from './node-modes.ts';

export interface LockRequest {
  /** Name of an ISP, or the key of a lane (`mx:...`); absent: the whole node. */
  readonly isp?: string | undefined;
  readonly durationMs?: number | undefined;
  readonly waiting?: 'wait' | 'move' | undefined;
  readonly reason?: string | undefined;
}

export interface NodeControlOptions {
  readonly locks: Locks;
  readonly modes: NodeModes;
  /** The modes are others now. */
  readonly changed: () => Promise<void>;
  /** Paused warm-ups of the node go on. */
  readonly resumeWarmups: (node: string) => void;
}

/** The same for those that only use it. */
export type NodeControls = Pick<
  NodeControl,
  'locks' | 'lock' | 'unlock' | 'lift' | 'drain' | 'disable' | 'resume'
>;

export class NodeControl {
  readonly #options: NodeControlOptions;

  constructor(options: NodeControlOptions) {
    this.#options = options;
  }

  locks(): readonly Lock[] {
    return this.#options.locks.list();
  }

  /** Whether locks keep all of a sender's mail back towards an ISP; without one: from leaving at all. */
  isLocked(sender: Pick<SenderConfig, 'name' | 'nodes'>, isp: string | undefined): boolean {
    return this.#options.locks.stopSender(sender, isp === undefined ? '' : laneOf(isp));
  }

  lock(
    node: string,
    { isp, durationMs, waiting = 'wait', reason = 'by an operator' }: LockRequest,
  ): Promise<void> {
    const lane = isp === undefined ? undefined : laneOf(isp);
    const name = lane === undefined ? undefined : ispOf(lane);
    return this.#options.locks.byHand({ node, lane, isp: name, durationMs, waiting, reason });
  }

  /** Lifts the locks of the node, all or those towards one ISP (`other`: all hosts of none); says how many. */
  unlock(node: string, isp: string | undefined): Promise<number> {
    const isMeant = (lane = ''): boolean =>
      isp === undefined || lane === laneOf(isp) || (isp === OTHER && ispOf(lane) === OTHER);
    return this.#options.locks.lift(({ record }) => record.node === node && isMeant(record.lane));
  }

  /** Lifts one lock of any scope; says how many (0 or 1). */
  lift(id: string): Promise<number> {
    return this.#options.locks.lift((lock) => lock.id === id);
  }

  /** Takes no new mail and sends what it has. */
  drain(node: string): Promise<void> {
    return this.#set(node, 'draining');
  }

  /** Sends nothing; its mail waits. */
  disable(node: string): Promise<void> {
    return this.#set(node, 'disabled');
  }

  /** Undoes drain and disable; paused warm-ups go on. */
  async resume(node: string): Promise<void> {
    await this.#set(node, undefined);
    this.#options.resumeWarmups(node);
  }

  async #set(node: string, mode: 'draining' | 'disabled' | undefined): Promise<void> {
    await this.#options.modes.set(node, mode);
    await this.#options.changed();
  }
}

const OTHER = 'other';
/** What the lane is shown under. */
const ispOf = (lane: string): string => (lane.startsWith('mx:') ? OTHER : lane.replace(/^isp:/, ''));
const laneOf = (isp: string): string => (/^(?:mx|isp):/.test(isp) ? isp : `isp:${isp}`);
