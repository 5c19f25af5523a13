/**
 * What the events of the commits add up to, since the start of the process. An event costs a few look-ups in maps. Test
 * sends and copies are not counted here; what waits (the gauges of the queue) is all mail.
 *
 * A counter must not change its labels while it counts, so who comes first keeps a name: MAX_ISPS ISPs, and MAX_CELLS
 * pairs of node and ISP; what comes later is counted as `other`. The sums by ISP are exact for every ISP with a name.
 */
import { type Clock, domainOf } from '../core/index.ts';
import type { EventDraft, Queue } from '../queue/index.ts';
import { once } from './metrics-gauge.ts';
import type { Figure, FigureRegistry } from './metrics-text.ts';
import { Spreads } from './spread.ts';
import { type Cell, Tally } from './tally.ts';

/** Each line is a series that Prometheus keeps: these bound a site of 100 nodes and 300 ISPs to some 10,000. */
export const MAX_ISPS = 300;
export const MAX_CELLS = 750;
export const REST = 'other';
/** Of the time from acceptance to delivery. */
const SECONDS = [1, 10, 60, 300, 1_800, 7_200, 43_200];

export class EventCounts {
  /** By ISP, node, outcome. */
  readonly attempts = new Tally();
  /** By ISP, outcome; the third is empty. */
  readonly outcomes = new Tally();
  readonly bounces = new Tally();
  /** What came back: by type, ISP; the third is empty. */
  readonly reports = new Tally();
  /** Seconds from acceptance to delivery. */
  readonly secondsByIsp = new Spreads(SECONDS);
  readonly secondsByNode = new Spreads(SECONDS);
  possibleDuplicates = 0;
  readonly #isps = new Set<string>();
  readonly #cells = new Map<string, Set<string>>();
  #cellCount = 0;

  /** `ispOf` knows the ISP of a domain: reports that come later do not name it. */
  add(event: EventDraft, ispOf: (domain: string) => string | undefined): void {
    const { type, corrects, node = '' } = event;
    if (event.test) return;
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
    if (type === 'delivered' && event.queue_ms !== undefined) {
      this.secondsByIsp.add(isp, event.queue_ms / 1000);
      this.secondsByNode.add(node, event.queue_ms / 1000);
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

export function counterMetrics(
  registry: FigureRegistry,
  prefix: string,
  { counts, queue, clock }: CounterSources,
): void {
  const add = (figure: Omit<Figure, 'type'>): void =>
    registry.add({ ...figure, name: `${prefix}${figure.name}`, type: 'counter' });
  const total = (name: string, help: string, read: () => number): void =>
    add({ name, help, labelNames: [], collect: (set) => set(read()) });
  const byLabels = (name: string, help: string, labelNames: string[], tally: Tally): void =>
    add({
      name,
      help,
      labelNames,
      collect: (set) => {
        for (const { labels, count } of tally.cells()) set(count, namedLabels(labelNames, labels));
      },
    });
  const sum = once(clock, () => queue.state.counters.statistics());
  total(
    'accepted_total',
    'Deliveries accepted since the store exists; this and all other counts without test sends and copies',
    () => sum().accepted,
  );
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
  histogram(registry, {
    name: `${prefix}delivery_seconds`,
    help: 'Time from acceptance to delivery by ISP; ISPs beyond the first 300 as other',
    labelName: 'isp',
    spreads: counts.secondsByIsp,
  });
  histogram(registry, {
    name: `${prefix}node_delivery_seconds`,
    help: 'Time from acceptance to delivery by the node that delivered, all ISPs together',
    labelName: 'node',
    spreads: counts.secondsByNode,
  });
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
  readonly clock: Clock;
}

interface Histogram {
  readonly name: string;
  readonly help: string;
  readonly labelName: string;
  readonly spreads: Spreads;
}

function histogram(registry: FigureRegistry, { name, help, labelName, spreads }: Histogram): void {
  const collect: Figure['collect'] = (set) => {
    for (const [label, spread] of spreads) {
      const labels = { [labelName]: label };
      for (const [upTo, count] of spread.upTo()) set(count, labels, { end: '_bucket', upTo });
      set(spread.sum, labels, { end: '_sum' });
      set(spread.count, labels, { end: '_count' });
    }
  };
  registry.add({ name, help, type: 'histogram', labelNames: [labelName], collect });
}

function namedLabels(names: readonly string[], values: Cell['labels']): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [i, name] of names.entries()) labels[name] = values[i]!;
  return labels;
}
