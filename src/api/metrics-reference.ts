/** Names and help of all own metrics as Markdown, for config/REFERENCE.md. */
import { systemClock } from '../core/index.ts';
import { createMetrics } from './metrics.ts';
import type { MetricsOptions } from './metrics.ts';

interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}

export function describedMetrics(): readonly Described[] {
  // What is measured is looked at when somebody asks for values, which nobody does here.
  const nothing = {} as Pick<MetricsOptions, 'queue' | 'egress'>;
  const metrics = createMetrics({ ...nothing, clock: systemClock, version: '', durability: 'sync' });
  const all = [...metrics.registry.getMetricsAsArray(), ...metrics.registry.figures] as readonly Described[];
  const own = all
    .filter(({ name }) => name.startsWith('postrider_'))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  metrics.close();
  return own;
}

export function metricsReference(): string {
  const rows = describedMetrics().map(
    ({ name, type, labelNames = [], help }) =>
      `| \`${name}\` | ${type} | ${labelNames.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return `
# Metrics

\`GET /metrics\` on \`status.listen\`, for Prometheus, besides those of Node.js (\`nodejs_\`, \`process_\`). Alerts on them are in
\`prometheus/alerts.yml\`, a dashboard for Grafana in \`grafana/postrider.json\`.

| name | type | labels | |
|---|---|---|---|
${rows.join('\n')}
`;
}
