/** Counts of hits by half, with what was missed. */
import { inView } from './corpus.ts';

export interface Miss {
  readonly key: string;
  readonly detail: string;
}

export class Score {
  readonly name: string;
  readonly #counts = { seen: [0, 0], unseen: [0, 0] } as Record<'seen' | 'unseen', [number, number]>;
  readonly misses: Miss[] = [];

  constructor(name: string) {
    this.name = name;
  }

  add(key: string, hit: boolean, detail = ''): void {
    const counts = this.#counts[inView(key) ? 'seen' : 'unseen'];
    counts[1] += 1;
    if (hit) counts[0] += 1;
    else this.misses.push({ key, detail });
  }

  get value(): number {
    const { seen, unseen } = this.#counts;
    return (seen[0] + unseen[0]) / Math.max(1, seen[1] + unseen[1]);
  }

  /** One line: share and counts of all, of the half in view, of the other half. */
  toString(): string {
    const { seen, unseen } = this.#counts;
    const all = [seen[0] + unseen[0], seen[1] + unseen[1]] as const;
    const share = ([hits, of]: readonly [number, number]): string =>
      `${of === 0 ? '-' : ((100 * hits) / of).toFixed(1).padStart(5)} % (${hits}/${of})`;
    return `${this.name.padEnd(44)} ${share(all)}   in view ${share(seen)}   unseen ${share(unseen)}`;
  }
}
