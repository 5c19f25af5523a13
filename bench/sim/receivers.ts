/**
 * Modelled receivers. Each says at any moment what it would take at best, and answers attempts with the replies that
 * receivers of its kind give. What they cannot know (who sends, how) they do not look at.
 */
import type { Reply } from '../../src/core/index.ts';
import { HOUR, MINUTE } from './clock.ts';

export interface Offer {
  /** ms since the start. */
  readonly at: number;
  readonly node: number;
  /** Sessions of this node, this one included. */
  readonly sessions: number;
  readonly delivery: number;
}

export interface Receiver {
  /** Recipients per hour that it would take at best. */
  capacity(at: number): number;
  /** Undefined: taken. */
  answer(offer: Offer): Reply | undefined;
}

const TOO_FAST: Reply = {
  code: 421,
  enhanced: '4.7.28',
  text: 'Our system has detected an unusual rate of mail',
};
const MAILBOX_BUSY: Reply = {
  code: 450,
  enhanced: '4.2.1',
  text: 'The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered',
};
const TOO_MANY: Reply = { code: 421, enhanced: undefined, text: 'Too many concurrent connections' };
const GREYLISTED: Reply = {
  code: 451,
  enhanced: '4.7.1',
  text: 'Greylisted, please try again in 300 seconds',
};
const BLOCKED: Reply = {
  code: 421,
  enhanced: '4.7.28',
  text: 'Temporarily blocked because of unusual traffic',
};

export const LISTED: Reply = {
  code: 450,
  enhanced: '4.7.1',
  text: 'Service unavailable, client host [192.0.2.1] blocked using our blocklist',
};

/** Takes `count` in any stretch of `perMs`; what is refused does not count. */
class Window {
  readonly #perMs: number;
  readonly #times: number[] = [];
  #head = 0;

  constructor(perMs: number) {
    this.#perMs = perMs;
  }

  take(at: number, count: number): boolean {
    while (this.#head < this.#times.length && this.#times[this.#head]! <= at - this.#perMs) this.#head++;
    if (this.#head > 4096) {
      this.#times.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.#times.length - this.#head >= count) return false;
    this.#times.push(at);
    return true;
  }
}

/** A rate per node, or with `shared` for all of them together. */
export function fixedRate(perMinute: number, shared = false): Receiver {
  const windows = new Map<number, Window>();
  return {
    capacity: () => perMinute * 60,
    answer({ at, node }) {
      const key = shared ? 0 : node;
      let window = windows.get(key);
      if (!window) windows.set(key, (window = new Window(MINUTE)));
      return window.take(at, perMinute) ? undefined : TOO_FAST;
    },
  };
}

/** A rate, and so many of 1,000 refused at any speed, as where mailboxes have limits of their own. */
export function background(perMinute: number, inThousand: number): Receiver {
  const rate = fixedRate(perMinute);
  let seed = 7;
  // Chance that is the same in each run.
  const chance = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  return {
    capacity: () => perMinute * 60,
    answer: (offer) => (chance() * 1000 < inThousand ? MAILBOX_BUSY : rate.answer(offer)),
  };
}

/** So many sessions at once; with a latency of `latencyMs` that is its capacity. */
export const connectionLimit = (most: number, latencyMs: number): Receiver => ({
  capacity: () => (most * HOUR) / latencyMs,
  answer: ({ sessions }) => (sessions > most ? TOO_MANY : undefined),
});

/** Nobody is believed at once. */
export function greylisting(perMinute: number, waitMs = 5 * MINUTE): Receiver {
  const seen = new Map<number, number>();
  return {
    capacity: () => perMinute * 60,
    answer({ at, delivery }) {
      const first = seen.get(delivery);
      if (first === undefined) seen.set(delivery, at);
      return first === undefined || at < first + waitMs ? GREYLISTED : undefined;
    },
  };
}

/** The rate falls with each attempt above it and recovers with time; who has lost it all is shut out for a while. */
export function reputation(perMinute: number): Receiver {
  const window = new Window(MINUTE);
  let [score, seen, shutUntil] = [1, 0, 0];
  const turn = (at: number): void => {
    score = Math.min(1, score + ((at - seen) / HOUR) * 0.1);
    seen = at;
  };
  return {
    capacity: () => perMinute * 60,
    answer({ at }) {
      turn(at);
      if (at < shutUntil) return BLOCKED;
      if (window.take(at, Math.max(1, Math.floor(perMinute * score)))) return undefined;
      score = Math.max(0.05, score - 0.002);
      if (score <= 0.1) shutUntil = at + 30 * MINUTE;
      return TOO_FAST;
    },
  };
}

/** A rate, and a block from `from` on for `ms`; who goes on knocking makes it longer. */
export function blocking(perMinute: number, from: number, ms: number, reply = BLOCKED): Receiver {
  const rate = fixedRate(perMinute);
  let until = from + ms;
  const latest = from + 3 * ms;
  return {
    capacity: (at) => (at >= from && at < from + ms ? 0 : perMinute * 60),
    answer(offer) {
      if (offer.at < from || offer.at >= until) return rate.answer(offer);
      until = Math.min(latest, until + 500);
      return reply;
    },
  };
}

/**
 * A new address: so many on its first day. A day with at most 5 % refused, and half of what it might take, doubles that;
 * a day with more refused than taken halves it again.
 */
export function growing(firstDay: number): Receiver {
  let [day, cap, taken, refused] = [0, firstDay, 0, 0];
  const turn = (at: number): void => {
    const today = Math.floor(at / (24 * HOUR));
    if (today === day) return;
    if (refused > taken) cap = Math.max(firstDay, cap / 2);
    else if (refused <= 0.05 * taken && taken >= cap / 2) cap *= 2;
    [day, taken, refused] = [today, 0, 0];
  };
  return {
    // Of somebody who uses each day to the full, without a refusal.
    capacity: (at) => (firstDay * 2 ** Math.floor(at / (24 * HOUR))) / 24,
    answer({ at }) {
      turn(at);
      if (taken < cap) {
        taken++;
        return undefined;
      }
      refused++;
      return TOO_FAST;
    },
  };
}

/** By day and night, working day and weekend. */
export function weekly(perMinute: number): Receiver {
  const window = new Window(MINUTE);
  const share = (at: number): number => {
    const hour = Math.floor(at / HOUR) % 24;
    const weekend = Math.floor(at / (24 * HOUR)) % 7 >= 5;
    const day = hour >= 8 && hour < 20;
    if (weekend) return day ? 0.7 : 0.5;
    return day ? 0.3 : 1;
  };
  return {
    capacity: (at) => perMinute * 60 * share(at),
    answer: ({ at }) => (window.take(at, Math.floor(perMinute * share(at))) ? undefined : TOO_FAST),
  };
}
