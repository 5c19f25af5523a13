/** Figures of what comes back to the MX. Labels are bounded: kinds, verdicts and reasons are words of the program. */
import { Counter } from 'prom-client';
import type { Clock } from '../core/index.ts';
import type { Queue } from '../queue/index.ts';
import { gauge, PREFIX } from './metrics-gauge.ts';
import type { FigureRegistry } from './metrics-text.ts';

/** What came of mails since the program started. */
export interface ReportCount {
  /** What the mail was: `dsn`, `arf`, `unsubscribe`, `auto_reply`, ... */
  readonly kind: string;
  /** What it led to: `bounce`, `complaint`, `unsubscribe`, `duplicate`, `unverified`, `forwarded`, ... */
  readonly verdict: string;
  count: number;
}

export interface InboundMetrics {
  readonly reports: readonly Readonly<ReportCount>[];
  onReport(kind: string, verdict: string): void;
  onRefused(reason: string): void;
  onWorkerRestart(): void;
}

export function inboundMetrics(
  registry: FigureRegistry,
  { queue, clock }: { readonly queue: Queue; readonly clock: Clock },
): InboundMetrics {
  const counter = (name: string, help: string, labelNames: string[] = []): Counter =>
    new Counter({ name: `${PREFIX}${name}`, help, labelNames, registers: [registry] });
  const reports = counter('inbound_mails_total', 'Mails to the MX, by what they were and what they led to', [
    'kind',
    'verdict',
  ]);
  const refused = counter('inbound_refused_total', 'Sessions, recipients and mails that the MX refused', [
    'reason',
  ]);
  const restarts = counter('inbound_worker_restarts_total', 'Workers that died or stood still over a report');
  gauge(registry, 'reports_waiting', 'Reports that are stored and not read yet', [], (set) =>
    set(queue.inbox.waiting.mails),
  );
  gauge(registry, 'reports_waiting_bytes', 'Their size', [], (set) => set(queue.inbox.waiting.bytes));
  gauge(registry, 'reports_oldest_seconds', 'Age of the oldest report that is not read yet', [], (set) =>
    set(oldestSeconds(queue, clock) ?? 0),
  );
  gauge(registry, 'reports_early', 'Deliveries whose reports wait for their end', [], (set) =>
    set(queue.state.early.size),
  );
  gauge(registry, 'reports_quarantined', 'Mails to the MX that had no effect and are kept', [], (set) =>
    set(queue.inbox.kept.mails),
  );
  gauge(registry, 'reports_quarantined_bytes', 'Their size', [], (set) => set(queue.inbox.kept.bytes));
  const counts = new Map<string, ReportCount>();
  return {
    get reports() {
      return [...counts.values()];
    },
    onReport: (kind, verdict) => {
      reports.inc({ kind, verdict });
      const key = `${kind} ${verdict}`;
      const known = counts.get(key);
      if (known) known.count++;
      else counts.set(key, { kind, verdict, count: 1 });
    },
    onRefused: (reason) => refused.inc({ reason }),
    onWorkerRestart: () => restarts.inc(),
  };
}

/** Age of the oldest mail that waits to be read. */
export function oldestSeconds({ inbox }: Queue, clock: Clock): number | undefined {
  const [oldest] = inbox.next(0, 1);
  return oldest && Math.max(0, Math.floor((clock.now() - oldest.at) / 1000));
}
