/**
 * What the events of the commits add up to, since the start of the process. An event costs a few look-ups in maps.
 *
 * A counter must not change its labels while it counts, so who comes first keeps a name: MAX_ISPS ISPs, and MAX_CELLS
 * pairs of node and ISP; what comes later is counted as `other`. The sums by ISP are exact for every ISP with a name.
 */
import { Counter, type Registry } from 'prom-client';
import { domainOf } from '../core/index.ts';
import type { EventDraft, Queue } from '../queue/index.ts';
import { type Cell, Tally } from './tally.ts';

/** A line of the answer costs about 4 us: these keep a scrape of 100 nodes and 300 ISPs under 50 ms. */
export const MAX_ISPS = 300;
export const MAX_CELLS = 750;
const REST = 'other';

export class EventCounts {
  /** By ISP, node, outcome. */
  readonly attempts = new Tally();
  /** By ISP, outcome; the third is empty. */
  readonly outcomes = new Tally();
  readonly bounces = new Tally();
  /** What came back: by type, ISP; the third is empty. */
  readonly reports = new Tally();
  possibleDuplicates = 0;
  readonly #isps = new Set<string>();
  readonly #cells = new Map<string, Set<string>>();
  #cellCount = 0;

  /** `ispOf` knows the ISP of a domain: reports that come later do not name it. */
  add(event: EventDraft, ispOf: (domain: string) => string | undefined): void {
    const { type, corrects, node = '' } = event;
    if (type === 'report_rejected') this.reports.add(type, '', '');
    if (type === 'accepted' || event.recipient === undefined || type === 'report_rejected') return;
    const isp = this.#ispOf(event.isp ?? ispOf(domainOf(event.recipient)));
    if (type === 'complaint' || type === 'unsubscribe' || corrects !== undefined) {
      this.reports.add(corrects === undefined ? type : `late_${type}`, isp, '');
      return;
    }
    if (type === 'delivered' || event.reply !== undefined) {
      this.attempts.add(this.#cellOf(isp, node), node, type);
      this.outcomes.add(isp, type, '');
    }
    if (event.bounce) this.bounces.add(event.bounce.class, event.bounce.category, isp);
    if (event.possible_duplicate && type === 'delivered') this.possibleDuplicates++;
  }

  #ispOf(isp: string | undefined): string {
    if (isp === undefined) return 'unresolved';
    if (this.#isps.has(isp)) return isp;
    if (this.#isps.size >= MAX_ISPS) return REST;
    this.#isps.add(isp);
    return isp;
  }

  #cellOf(isp: string, node: string): string {
    let ofNode = this.#cells.get(node);
    if (ofNode?.has(isp)) return isp;
    if (this.#cellCount >= MAX_CELLS) return REST;
    if (!ofNode) this.#cells.set(node, (ofNode = new Set()));
    ofNode.add(isp);
    this.#cellCount++;
    return isp;
  }
}

export function counterMetrics(registry: Registry, prefix: string, { counts, queue }: CounterSources): void {
  const registers = [registry];
  const total = (name: string, help: string, read: () => number): void => {
    const counter: Counter = new Counter({
      name: `${prefix}${name}`,
      help,
      registers,
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  };
  const byLabels = (name: string, help: string, labelNames: string[], tally: Tally): void => {
    const counter: Counter = new Counter({
      name: `${prefix}${name}`,
      help,
      labelNames,
      registers,
      collect: () => {
        counter.reset();
        for (const { labels, count } of tally.cells()) counter.inc(namedLabels(labelNames, labels), count);
      },
    });
  };
  const sum = (): ReturnType<Queue['state']['counters']['sum']> => queue.state.counters.sum();
  total('accepted_total', 'Deliveries accepted since the store exists', () => sum().accepted);
  total('delivered_total', 'Deliveries that receivers took', () => sum().delivered);
  total('failed_total', 'Deliveries that ended otherwise', () => sum().hard_bounced + sum().undelivered);
  total('removed_total', 'Deliveries ended by an operator', () => sum().removed);
  total(
    'possible_duplicates_total',
    'Deliveries made after a crash had left open whether they had been made before',
    () => counts.possibleDuplicates,
  );
  byLabels(
    'attempts_total',
    'Attempts by what came of them; the pairs of node and ISP beyond the first 750 as ISP other',
    ['isp', 'node', 'outcome'],
    counts.attempts,
  );
  byLabels(
    'isp_attempts_total',
    'Attempts by ISP, all nodes together; ISPs beyond the first 300 as other',
    ['isp', 'outcome'],
    counts.outcomes,
  );
  byLabels('bounces_total', 'Refusals by class', ['class', 'category', 'isp'], counts.bounces);
  byLabels(
    'reports_total',
    'What came back: complaint, unsubscribe, late_hard_bounce, late_undelivered, report_rejected',
    ['type', 'isp'],
    counts.reports,
  );
}

interface CounterSources {
  readonly counts: EventCounts;
  readonly queue: Queue;
}

const namedLabels = (names: readonly string[], values: Cell['labels']): Record<string, string> =>
  Object.fromEntries(names.map((name, i) => [name, values[i]!]));
