/**
 * How near each follower of the journal is to losing events, as a share of the bound: 1 means that the next event it
 * wants is as old, or what it has not seen as large, as the journal may be. At half of it (`LAG_WARNS`) people are told.
 */
import type { Event } from '../core/index.ts';
import { type Journal, NO_TIME } from './journal.ts';

export const LAG_WARNS = 0.5;

export interface JournalLag {
  readonly reader: string;
  /** Events that it is behind. */
  readonly events: number;
  readonly share: number;
}

/** Those who follow now; `now` is wall time (ms). */
export function journalLags(journal: Journal, now: number): readonly JournalLag[] {
  const {
    last,
    first,
    bytes,
    kept: { maxAgeMs, maxBytes },
  } = journal;
  const count = journal.givenAfter(first - 1);
  return [...journal.readers.positions()].map(([reader, position]) => {
    const events = journal.givenAfter(position);
    if (events === 0 || last < first) return { reader, events, share: 0 };
    const age = now - timeOf(journal.take(Math.max(position, first - 1), 1)[0], now);
    const behind = (bytes * Math.min(events, count)) / count;
    return { reader, events, share: Math.max(age / maxAgeMs, behind / maxBytes) };
  });
}

/** Where all that is wanted is damaged nobody knows how old it is: its size says how near the bound is. */
const timeOf = (event: Event | undefined, now: number): number =>
  event === undefined || event.time === NO_TIME ? now : Date.parse(event.time);

/** The one that is nearest to losing something; undefined when nobody is behind. */
export function worstLag(lags: readonly JournalLag[]): JournalLag | undefined {
  const worst = [...lags].sort((a, b) => b.share - a.share)[0];
  return worst && worst.share > 0 ? worst : undefined;
}

/** Why new mail is refused (`on_full: stop`); undefined while it is not. */
export function journalFull(journal: Journal, now: number): string | undefined {
  const worst = journal.kept.onFull === 'stop' ? worstLag(journalLags(journal, now)) : undefined;
  if (!worst || worst.share < 1) return undefined;
  return `the journal is full and ${worst.reader} is ${worst.events} events behind (journal.on_full: stop)`;
}
