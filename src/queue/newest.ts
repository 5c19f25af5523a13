/** Where a store was when it was closed, or cut off: the time of its newest event, and the largest message number. */
import { messageNumberAt } from '../core/index.ts';
import type { Journal } from './journal.ts';
import { parseDeliveryKey } from './keys.ts';
import type { Kv } from './kv.ts';

/** Time of the newest event (wall ms); 0 when there is none. */
export function timeOfNewest(journal: Journal): number {
  for (const { time } of journal.events(journal.last - 1)) return Date.parse(time);
  return 0;
}

/** The largest message number that may have been given: from what is stored, and from the time of its newest event. */
export function lastNumber(kv: Kv, newest: number): number {
  let last = newest > 0 ? messageNumberAt(newest + 1) : 0;
  for (const table of ['deliveries', 'history', 'lines'] as const) {
    for (const { key } of kv.range(table, { reverse: true, limit: 1 }))
      last = Math.max(last, parseDeliveryKey(key).number);
  }
  return last;
}
