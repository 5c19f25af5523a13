/** Figures of the bounce patterns. Labels are bounded: patterns are configured, and few unknown replies are named. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Classifier } from '../bounce/index.ts';

const MOST_UNMATCHED = 10;

export function bounceMetrics(registry: Registry, prefix: string, classifier: () => Classifier): void {
  const hits: Counter = new Counter({
    name: `${prefix}bounce_pattern_hits_total`,
    help: 'Refusals that a bounce pattern decided',
    labelNames: ['pattern'],
    registers: [registry],
    collect: () => {
      hits.reset();
      for (const one of classifier().hits())
        if (one.hits > 0) hits.inc({ pattern: one.pattern.name }, one.hits);
    },
  });
  const unknown: Counter = new Counter({
    name: `${prefix}unmatched_replies_total`,
    help: 'Refusals that no bounce pattern knew',
    registers: [registry],
    collect: () => {
      unknown.reset();
      unknown.inc(classifier().unmatchedReplies.total);
    },
  });
  const frequent: Gauge = new Gauge({
    name: `${prefix}unmatched_reply`,
    help: 'The most frequent replies that no bounce pattern knew, with numbers and addresses folded',
    labelNames: ['reply'],
    registers: [registry],
    collect: () => {
      frequent.reset();
      for (const { text, count } of classifier().unmatched(MOST_UNMATCHED))
        frequent.set({ reply: text }, count);
    },
  });
}
