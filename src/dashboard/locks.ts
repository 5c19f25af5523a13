/** Which lock stops what, and how far warm-ups are, as the page shows it. */
import type { LaneStatus, Lock } from '../mta/egress/index.ts';
import type { LockLine, WarmupLine } from './view.ts';

const ANY = '*';
const keyOf = (node: string | undefined, isp: string | undefined): string => `${node ?? ANY}\0${isp ?? ANY}`;

/** Locks of a sender towards an ISP stop only a part of a cell and are left out. */
export class LockBook {
  readonly #lines = new Map<string, LockLine>();

  constructor(locks: readonly Lock[], full: boolean) {
    for (const { record } of locks) {
      if (record.sender !== undefined) continue;
      const { since, until, rule, reason, reply } = record;
      const said = reply && [reply.code, reply.enhanced, reply.text].filter(Boolean).join(' ');
      this.#lines.set(keyOf(record.node, record.isp ?? record.lane), {
        since,
        until,
        rule,
        reason: full ? (said ?? reason) : undefined,
      });
    }
  }

  /** The widest one that stops this node towards this ISP; without an ISP, the node as a whole. */
  of(node: string, isp: string | undefined): LockLine | undefined {
    const ofNode = this.#lines.get(keyOf(node, undefined));
    if (ofNode || isp === undefined) return ofNode;
    return this.#lines.get(keyOf(undefined, isp)) ?? this.#lines.get(keyOf(node, isp));
  }
}

/** The warm-up that is furthest behind. */
export function warmupOf(lanes: readonly LaneStatus[]): WarmupLine | undefined {
  let least: WarmupLine | undefined;
  for (const { isp, warmup } of lanes)
    if (warmup && warmup.stage < (least?.stage ?? Infinity))
      least = {
        isp,
        stage: warmup.stage + 1,
        stages: warmup.stages,
        day: warmup.day,
        delivered: warmup.delivered,
        dailyCap: warmup.dailyCap,
      };
  return least;
}
