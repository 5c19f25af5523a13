/**
 * The most frequent refusals. Replies that differ only in addresses and ids count as one; addresses are taken out, so
 * nothing here names a recipient. Two periods are kept, so what is shown is 30 to 60 minutes old at most, and no more
 * than MOST different ones in each.
 */
import { withoutNames } from '../core/index.ts';
import type { EventDraft } from '../queue/index.ts';
import type { RefusalView } from './view.ts';

const PERIOD_MS = 30 * 60_000;
const MOST = 500;

interface Counted {
  readonly view: Omit<RefusalView, 'count' | 'last' | 'example'>;
  example: string | undefined;
  count: number;
  last: number;
}

export class RefusalTally {
  #now = new Map<string, Counted>();
  #before = new Map<string, Counted>();
  #until = 0;

  add(event: EventDraft): void {
    const { reply, bounce, isp = 'other', time } = event;
    if (!reply) return;
    this.#turnTo(time);
    const text = withoutNames(reply.text);
    const key = `${isp}\0${reply.code ?? ''}\0${reply.enhanced ?? ''}\0${text}`;
    const known = this.#now.get(key);
    if (known) {
      known.count++;
      known.last = time;
      known.example = event.delivery_id;
    } else if (this.#now.size < MOST) {
      const view = { isp, code: reply.code, enhanced: reply.enhanced, category: bounce?.category, text };
      this.#now.set(key, {
        view: { ...view, hard: event.type === 'hard_bounce' },
        count: 1,
        last: time,
        example: event.delivery_id,
      });
    }
  }

  top(count: number, now: number): RefusalView[] {
    this.#turnTo(now);
    const sums = new Map<string, Counted>();
    for (const [key, one] of [...this.#before, ...this.#now]) {
      const sum = sums.get(key);
      if (!sum) sums.set(key, { ...one });
      else {
        sum.count += one.count;
        sum.last = Math.max(sum.last, one.last);
        sum.example = one.example ?? sum.example;
      }
    }
    return [...sums.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, count)
      .map(({ view, count: times, last, example }) => ({ ...view, count: times, last, example }));
  }

  #turnTo(now: number): void {
    if (now < this.#until) return;
    // Periods stand fast: one that began when somebody happened to look would keep the old for longer.
    const start = now - (now % PERIOD_MS);
    this.#before = start === this.#until ? this.#now : new Map<string, Counted>();
    this.#now = new Map();
    this.#until = start + PERIOD_MS;
  }
}
