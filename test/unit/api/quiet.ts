/** What a server says of itself on which nothing happens. */
import type { ServerStatus } from '../../../src/api/index.ts';

export const QUIET: Pick<ServerStatus, 'alerts' | 'flow'> = {
  alerts: [],
  flow: () => ({
    since: Date.UTC(2026, 0, 1),
    sums: { delivered: 0, soft: 0, hard: 0, complaints: 0 },
    lastDelivered: undefined,
    waiting: [],
  }),
};
