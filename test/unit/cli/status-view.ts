/** What a server says of itself with which something is wrong. */
import type { StatusView } from '../../../src/api/index.ts';

const AT = '2026-01-01T00:00:00.000Z';
const COUNTS = { new: 1, proc: 2, retry: 3, hold: 0, total: 6 };

export const STATUS: StatusView = {
  version: '1.2.3',
  hostname: 'mta1.a.test',
  up_since: AT,
  uptime_seconds: 90,
  durability: 'sync',
  commits: { count: 4, mean_ms: 1234, slow: 3 },
  ready: false,
  not_ready: ['node n2 is down'],
  alerts: [{ name: 'node_down', since: AT, gone_since: AT, text: 'node n2 is down for 1m' }],
  flow: {
    since: AT,
    delivered: 2,
    soft_bounces: 5,
    hard_bounces: 1,
    last_delivered_at: AT,
    waiting: [
      {
        isp: 'gmail',
        count: 6,
        oldest_seconds: 3600,
        seconds_since_delivered: 1800,
        why: 'locked',
      },
    ],
    more_waiting: 3,
  },
  inbound: {
    waiting: 2,
    waiting_bytes: 900,
    early: 0,
    quarantined: 1,
    quarantined_bytes: 500,
    reports: [
      { kind: 'dsn', verdict: 'bounce', count: 3 },
      { kind: 'arf', verdict: 'complaint', count: 1 },
      { kind: 'dsn', verdict: 'unverified', count: 1 },
      { kind: 'arf', verdict: 'unverified', count: 1 },
    ],
  },
  data_dir: '/data',
  config_file: '/etc/mta.yaml',
  counters: {
    accepted: 10,
    delivered: 2,
    hard_bounced: 1,
    undelivered: 1,
    removed: 0,
    soft_bounces: 5,
    complaints: 0,
    unsubscribes: 0,
    queued: 6,
  },
  queue: { ...COUNTS, quarantined: 0, oldest_seconds: 3600 },
  nodes: [
    { name: 'n1', address: '192.0.2.1', state: 'running', sessions: 3, max_sessions: 10 },
    { name: 'n2', address: '192.0.2.2', state: 'down', state_since: AT, sessions: 0, max_sessions: 10 },
  ],
  events: { first_seq: 1, last_seq: 16 },
};
