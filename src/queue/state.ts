/** The parts that the works of the queue share. Only works change the store, only `applied` changes these. */
import type { Clock } from '../core/index.ts';
import type { ClockWatch } from './clock-watch.ts';
import type { Committer } from './committer.ts';
import type { Counters } from './counters.ts';
import type { EarlyReports } from './early-reports.ts';
import type { EndedToday } from './ended-today.ts';
import type { EndSpeeds } from './end-speeds.ts';
import type { Journal } from './journal.ts';
import type { Holds } from './holds.ts';
import type { Kv } from './kv.ts';
import type { Leases } from './leases.ts';
import type { LeasedDelivery } from './records.ts';
import type { Policies } from './policies.ts';
import type { QueueHead } from './queue-head.ts';
import type { Quarantine } from './quarantine.ts';
import type { RunningJobs } from './running-jobs.ts';
import type { Schedule } from './schedule.ts';
import type { SendingFile } from './sending-file.ts';
import type { StopList } from './stop-list.ts';
import type { Unclosed } from './unclosed.ts';

/** Who sends: told of what it may do, asked whether it could start at once. Never throws. */
export interface Dispatcher {
  /**
   * May a new delivery of this queue start at once? True reserves a place; the delivery comes by `granted` when the
   * commit that accepts it is durable, or the place is given back by `unclaim`.
   */
  claim(queue: QueueHead): boolean;
  unclaim(queue: QueueHead): void;
  granted(deliveries: readonly LeasedDelivery[]): void;
  /** The earliest slot of the queue wakes at `wakeAt` (wall ms), now or later; told whenever that changes. */
  wake(queue: QueueHead, wakeAt: number): void;
  /** The queues are held or stopped from now on: what of them is in memory comes back. */
  held(queues: readonly QueueHead[]): void;
  /** The ISP that a domain belongs to, as far as that is known. */
  ispOf(domain: string): string | undefined;
}

export interface QueueState {
  readonly kv: Kv;
  readonly clock: Clock;
  /** Lifetimes end by its time. */
  readonly watch: ClockWatch;
  readonly journal: Journal;
  readonly counters: Counters;
  readonly speeds: EndSpeeds;
  readonly endedToday: EndedToday;
  readonly schedule: Schedule;
  readonly holds: Holds;
  readonly jobs: RunningJobs;
  readonly leases: Leases;
  /** Absent: nobody knows how far a leased delivery is. */
  readonly sending: SendingFile | undefined;
  readonly committer: Committer;
  readonly stopList: StopList;
  readonly policies: Policies;
  readonly early: EarlyReports;
  readonly quarantine: Quarantine;
  readonly unclosed: Unclosed;
  dispatcher: Dispatcher | undefined;
  /** Told of things an operator should know. */
  readonly report: (
    level: 'warn' | 'error',
    text: string,
    details: Readonly<Record<string, unknown>>,
  ) => void;
}
