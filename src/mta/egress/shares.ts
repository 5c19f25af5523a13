/**
 * How many of a destination's places in memory each flow may have: as many as the others of its band and of those
 * before it that have mail. So no flow fills them all while another waits, and one that is alone has them all.
 */
import { bandOfRank, BANDS, type QueueHead } from '../../queue/index.ts';

/** One flow in one band. */
export interface Share {
  readonly key: string;
  readonly band: number;
  /** Queues that have this share. */
  queues: number;
  /** Places taken: in memory, claimed, or asked for from the store. */
  held: number;
  /** Queues with something due in the store. */
  due: number;
}

export class Shares {
  readonly #shares = new Map<string, Share>();
  /** Flows with mail, by band. */
  readonly #active = BANDS.map(() => 0);

  join({ rank, flow }: QueueHead): Share {
    const band = bandOfRank(rank);
    const key = `${band}\0${flow}`;
    let share = this.#shares.get(key);
    if (!share) this.#shares.set(key, (share = { key, band, queues: 0, held: 0, due: 0 }));
    share.queues++;
    return share;
  }

  leave(share: Share): void {
    if (--share.queues === 0) this.#shares.delete(share.key);
  }

  /** Takes places, or gives them back. */
  hold(share: Share, places: number): void {
    this.#change(share, places, 0);
  }

  /** A queue of the flow has something due (1), or has not any more (-1). */
  due(share: Share, by: 1 | -1): void {
    this.#change(share, 0, by);
  }

  /** How many more of `capacity` places the flow may have. */
  left(share: Share, capacity: number): number {
    let flows = isActive(share) ? 0 : 1;
    for (let band = 0; band <= share.band; band++) flows += this.#active[band]!;
    return Math.ceil(capacity / flows) - share.held;
  }

  #change(share: Share, held: number, due: number): void {
    const before = isActive(share);
    share.held += held;
    share.due += due;
    const after = isActive(share);
    if (before !== after) this.#active[share.band]! += after ? 1 : -1;
  }
}

const isActive = ({ held, due }: Share): boolean => held + due > 0;
