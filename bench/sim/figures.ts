/** What a run amounts to. */
import { HOUR } from './clock.ts';
import { type Course, SLICE_MS } from './simulate.ts';

export interface Figures {
  readonly deliveredPerHour: number;
  readonly capacityPerHour: number;
  /** Refused attempts of all attempts, 0 to 1. */
  readonly refusedShare: number;
  readonly refused: number;
  readonly lost: number;
  /** Minutes from the end of a block to 80 % of what the receiver takes; Infinity: never. */
  readonly recoveryMinutes: number | undefined;
  /** Jain's index of what the nodes delivered: 1 is the same for all. */
  readonly fairness: number;
}

const RECOVERED = 0.8;

export function figuresOf({ slices, byNode, lost }: Course, blockEnds?: number): Figures {
  const sum = (key: 'delivered' | 'refused' | 'capacity'): number =>
    slices.reduce((total, slice) => total + slice[key], 0);
  const hours = (slices.length * SLICE_MS) / HOUR;
  const [delivered, refused] = [sum('delivered'), sum('refused')];
  return {
    deliveredPerHour: delivered / hours,
    capacityPerHour: sum('capacity') / hours,
    refusedShare: refused / Math.max(1, delivered + refused),
    refused,
    lost,
    recoveryMinutes: blockEnds === undefined ? undefined : recovery(slices, blockEnds),
    fairness: jain(byNode),
  };
}

function recovery(slices: Course['slices'], blockEnds: number): number {
  const first = Math.floor(blockEnds / SLICE_MS);
  const at = slices.findIndex((slice, i) => i >= first && slice.delivered >= RECOVERED * slice.capacity);
  return at < 0 ? Infinity : ((at - first) * SLICE_MS) / 60_000;
}

/** R. Jain, D. Chiu, W. Hawe, DEC-TR-301 (1984). */
function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
}
