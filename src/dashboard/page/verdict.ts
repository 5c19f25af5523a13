/** Whether it is sending, in two words and a tone. */
import type { Snapshot } from '../view.ts';
import type { Word } from './words.ts';

export interface Verdict {
  readonly tone: 'good' | 'idle' | 'slow' | 'stuck';
  readonly title: Word;
  readonly note?: Word;
}

export function verdictOf(
  { ready, queue, minute, nodes }: Pick<Snapshot, 'ready' | 'queue' | 'minute' | 'nodes'>,
  lost: boolean,
): Verdict {
  if (lost) return { tone: 'idle', title: 'unknown', note: 'beforeLost' };
  if (!ready && nodes.length > 0) return { tone: 'stuck', title: 'notReady' };
  if (sum(minute.delivered) > 0) return { tone: 'good', title: 'sending' };
  if (queue.total === 0) return { tone: 'idle', title: 'idle', note: 'allSent' };
  if (queue.hold === queue.total) return { tone: 'slow', title: 'allHeld', note: 'untilReleased' };
  if (queue.new === 0 && queue.proc === 0)
    return { tone: 'slow', title: 'waitingTime', note: 'forNextAttempt' };
  return { tone: 'stuck', title: 'notSending', note: 'nothingLastMinute' };
}

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
