/** Whether it is sending, in two words and a tone. */
import type { Snapshot } from '../view.ts';
import type { Word } from './words.ts';

export interface Verdict {
  readonly tone: 'good' | 'idle' | 'slow' | 'stuck';
  readonly title: Word;
  readonly note?: Word;
  /** Wall time (ms) that the note names. */
  readonly since?: number;
}

/** What came in, or what a start found, so short a time ago has not had its turn. */
const NOT_YET_MS = 10_000;

type Seen = Pick<Snapshot, 'at' | 'started' | 'lastDelivered' | 'ready' | 'queue' | 'minute' | 'nodes'>;

export function verdictOf(
  { at, started, lastDelivered, ready, queue, minute, nodes }: Seen,
  lost: boolean,
): Verdict {
  if (lost) return { tone: 'idle', title: 'unknown', note: 'beforeLost' };
  if (!ready && nodes.length > 0) return { tone: 'stuck', title: 'notReady' };
  if (sum(minute.delivered) > 0) return { tone: 'good', title: 'sending' };
  if (queue.total === 0) return { tone: 'idle', title: 'idle', note: 'allSent' };
  if (queue.hold === queue.total) return { tone: 'slow', title: 'allHeld', note: 'untilReleased' };
  if (queue.new === 0 && queue.proc === 0)
    return { tone: 'slow', title: 'waitingTime', note: 'forNextAttempt' };
  const waitsMs = Math.min((queue.oldestSeconds ?? Infinity) * 1_000, at - started);
  if (waitsMs < NOT_YET_MS) return { tone: 'idle', title: 'begins', note: 'noneYet' };
  const note = lastDelivered === undefined ? 'nothingSinceStart' : 'nothingSince';
  return { tone: 'stuck', title: 'notSending', note, since: lastDelivered ?? started };
}

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
