import type { ApiDependencies } from '../../../src/api/index.ts';
import { err, ok } from '../../../src/core/index.ts';
/** What a server says of itself on which nothing happens. */
import type { ServerStatus } from '../../../src/api/index.ts';

export const QUIET: Pick<ServerStatus, 'alerts' | 'clockSetMs' | 'commitTime' | 'flow' | 'upMs'> = {
  upMs: 5_000,
  clockSetMs: 0,
  commitTime: { count: 0, ms: 0, slowCount: 0, slowTotalMs: 0 },
  alerts: [],
  flow: () =>
    Promise.resolve({
      since: Date.UTC(2026, 0, 1),
      sums: { delivered: 0, soft: 0, hard: 0, complaints: 0 },
      lastDelivered: undefined,
      waiting: [],
    }),
};

/** A routing that knows one sender. */
export const previewOf: ApiDependencies['preview'] = ({ sender }) =>
  sender === 'promo'
    ? ok({ virtualSender: undefined, rule: undefined, senders: [] })
    : err({ field: 'sender', text: 'name a sender: there is promo, other' });
