/**
 * A lock: what it stops, why and until when. It is `locked` until its time is over; then, when a rule set it, it is
 * `probing`: one delivery goes first, and what becomes of that one lifts the lock or makes the next one longer.
 */
import { createHash } from 'node:crypto';
import type { LockRuleConfig } from '../../config/index.ts';
import { type EventReply, formatDuration } from '../../core/index.ts';

const CLOCK_SLACK_MS = 60_000;

export type LockScope = LockRuleConfig['scope'];

/** As it is stored. */
export interface LockRecord {
  readonly scope: LockScope;
  readonly node?: string;
  readonly sender?: string;
  /** What a lane counts by (`isp:gmail`, `mx:...`), and its name for people. */
  readonly lane?: string;
  readonly isp?: string;
  /** The lock rule; absent when it was set by hand. */
  readonly rule?: string;
  /** The rule that asked for it. */
  readonly cause?: string;
  readonly since: number;
  /** Wall time (ms); absent: until it is lifted. */
  readonly until?: number;
  /** How many times a probe was refused. */
  readonly level: number;
  readonly waiting: 'wait' | 'move';
  readonly reason: string;
  readonly reply?: EventReply;
}

/** Where a refusal came from: what a lock may stop. */
export interface LockPlace {
  readonly node: string;
  readonly sender: string;
  readonly lane: string;
  readonly isp: string;
}

/** The parts of a place that a scope is about. */
export const SCOPES: Readonly<Record<LockScope, readonly ('node' | 'sender' | 'lane')[]>> = {
  node_isp: ['node', 'lane'],
  node: ['node'],
  sender_isp: ['sender', 'lane'],
  isp: ['lane'],
};

/** One lock for each scope and place. */
export const lockKey = (scope: LockScope, place: Partial<LockPlace>): readonly string[] => [
  'lock',
  scope,
  ...SCOPES[scope].map((part) => place[part] ?? ''),
];

export class Lock {
  readonly key: readonly string[];
  /** Short and the same over restarts. */
  readonly id: string;
  readonly record: LockRecord;
  /** The delivery that goes first, while it is on its way. */
  probe: string | undefined;

  constructor(record: LockRecord) {
    this.record = record;
    this.key = lockKey(record.scope, record);
    this.id = createHash('sha256').update(this.key.join('\0')).digest('hex').slice(0, 8);
  }

  /** What a rule set at a time that has not come was set before the clock was set back: nobody knows what is left of it. */
  locked(now: number): boolean {
    const { since, until } = this.record;
    if (until === undefined) return true;
    return now < until && (this.byHand || since <= now + CLOCK_SLACK_MS);
  }

  /** Ends by time alone: nobody asked the receiver, so there is nothing to try. */
  get byHand(): boolean {
    return this.record.rule === undefined;
  }

  stops(node: string, lane: string): boolean {
    const { record } = this;
    if (record.scope === 'sender_isp') return false;
    return (record.node ?? node) === node && (record.lane ?? lane) === lane;
  }

  /** `locked by rule blocklist until 12:30 (554 5.7.1 ...)`, for people. */
  text(now: number): string {
    const { rule, cause, until, reason, reply } = this.record;
    const by = rule === undefined ? 'by hand' : `by ${cause ?? rule}`;
    const why = reply ? [reply.code, reply.enhanced, reply.text].filter(Boolean).join(' ') : reason;
    if (!this.locked(now)) return `lock ${by}: one delivery goes first to try, after: ${why}`;
    const left =
      until === undefined ? '' : `, ${formatDuration(Math.ceil((until - now) / 1000) * 1000)} left`;
    return `locked ${by}${left}: ${why}`;
  }
}

/** Every lock has come to its end, and nothing is on its way to try. */
export const mayProbe = (locks: readonly Lock[], now: number): boolean =>
  locks.every((lock) => !lock.locked(now) && lock.probe === undefined);
