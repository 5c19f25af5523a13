/** Which lock stops what, and how far warm-ups are, as the page shows it. */
import type { LaneStatus, Lock } from '../mta/egress/index.ts';
import type { LockLine, WarmupLine } from './view.ts';

const ANY = '*';
/** What domains of no ISP are shown as; each set of hosts of theirs has a lane of its own. */
const OTHER = 'other';
const keyOf = (node: string | undefined, isp: string | undefined): string => `${node ?? ANY}\0${isp ?? ANY}`;

/** Locks of a sender towards an ISP stop only a part of a cell and are left out. */
export class LockBook {
  readonly #lines = new Map<string, LockLine>();

  constructor(locks: readonly Lock[]) {
    for (const { record } of locks) {
      if (record.sender !== undefined) continue;
      const { lane, since, until, rule, reason, reply } = record;
      const part = lane?.startsWith('mx:') ? { lane } : undefined;
      const said = reply && [reply.code, reply.enhanced, reply.text].filter(Boolean).join(' ');
      this.#lines.set(keyOf(record.node, part ? OTHER : (record.isp ?? lane)), {
        part,
        since,
        until,
        rule,
        reason: said ?? reason,
      });
    }
  }

  /** The widest one that stops this node towards this ISP; without an ISP, the node as a whole. */
  of(node: string, isp: string | undefined): LockLine | undefined {
    if (this.#lines.size === 0) return undefined;
    const ofNode = this.#lines.get(keyOf(node, undefined));
    if (ofNode || isp === undefined) return ofNode;
    return this.#lines.get(keyOf(undefined, isp)) ?? this.#lines.get(keyOf(node, isp));
  }
}

/** Before the sign-in without its reason, which may quote a receiver. */
export const toldLock = (lock: LockLine | undefined, full: boolean): LockLine | undefined =>
  lock && !full ? { ...lock, reason: undefined, part: lock.part && {} } : lock;

export const warmupOf = ({ isp, warmup }: LaneStatus): WarmupLine | undefined =>
  warmup && {
    isp,
    stage: warmup.stage + 1,
    stages: warmup.stages,
    day: warmup.day,
    delivered: warmup.delivered,
    dailyCap: warmup.dailyCap,
    pausedUntil: warmup.pausedUntil === 0 ? undefined : warmup.pausedUntil,
  };

const rankOf = ({ stage, pausedUntil }: WarmupLine): number => (pausedUntil === undefined ? stage : 0);

/** The one that is paused or further behind; of two that are equal, the first. */
export const laterWarmup = (a: WarmupLine | undefined, b: WarmupLine | undefined): WarmupLine | undefined =>
  a && b ? (rankOf(b) < rankOf(a) ? b : a) : (a ?? b);
