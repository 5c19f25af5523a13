/**
 * Events of the journal (one per attempt, exactly one terminal event per delivery). Field names are the outer
 * contract: they are what sinks, `GET /v1/events` and the CLI print. A field without a meaning is absent.
 */
import type { Bounce } from './bounce.ts';
import type { Phase } from './reply.ts';

export type DeliveryEventType = 'accepted' | 'delivered' | 'soft_bounce' | 'hard_bounce' | 'undelivered';
/** What comes back: `complaint` and `unsubscribe` change no count of the delivery; `report_rejected` had no effect. */
export type ReportEventType = 'complaint' | 'unsubscribe' | 'report_rejected';
/** What happens to nodes and the program, not to a delivery. */
export type StateEventType =
  'operation' | 'node_state' | 'lock' | 'unlock' | 'speed' | 'warmup' | 'alert' | 'config';
/** A damaged delivery leaves the schedule, and returns to it; neither is an end. */
export type QuarantineEventType = 'quarantined' | 'released';
/** In place of events that are lost or no longer kept. */
export type GapEventType = 'sink_gap';
export type EventType =
  DeliveryEventType | ReportEventType | StateEventType | QuarantineEventType | GapEventType | 'moved';

export type UndeliveredReason =
  'attempts_exhausted' | 'lifetime' | 'removed' | 'refused' | 'dropped' | 'stop_list' | 'policy' | 'report';

export type AlertName =
  | 'stuck_mail'
  | 'hard_bounces'
  | 'soft_bounces'
  | 'complaints'
  | 'node_down'
  | 'disk_reserve'
  | 'slow_disk'
  | 'journal_lag';

export interface EventReply {
  readonly code?: number;
  readonly enhanced?: string;
  readonly text: string;
  readonly phase: Phase;
}

export interface EventReport {
  /** `dsn`, `arf`, `unsubscribe`; with a type of feedback behind a slash: `arf/abuse`. */
  readonly kind: string;
  /** Address of From, and of the peer that handed it over. */
  readonly from?: string;
  readonly peer?: string;
  readonly reporting_mta?: string;
  readonly remote_mta?: string;
  /** `pass`, `fail`, `none` and the like (RFC 8601), when it was looked at. */
  readonly dkim?: string;
  readonly spf?: string;
  /** In the quarantine under this id. */
  readonly kept?: string;
}

export interface Event {
  readonly seq: number;
  readonly id: string;
  readonly type: EventType;
  /** ISO 8601, UTC, milliseconds. */
  readonly time: string;
  readonly delivery_id?: string;
  readonly message_id?: string;
  readonly campaign_id?: string;
  readonly account_id?: string;
  readonly group?: string;
  readonly virtual_sender?: string;
  readonly sender?: string;
  readonly node?: string;
  readonly source_ip?: string;
  readonly isp?: string;
  readonly mx?: string;
  readonly mx_ip?: string;
  readonly recipient?: string;
  readonly from_domain?: string;
  readonly attempt?: number;
  readonly size?: number;
  readonly reply?: EventReply;
  readonly bounce?: Bounce;
  readonly tls?: { readonly version: string; readonly cipher: string };
  readonly queue_ms?: number;
  readonly next_attempt?: string;
  /** Node of the next attempt, when it is not this one. */
  readonly next_node?: string;
  /** Sender from now on, when it is not this one. */
  readonly next_sender?: string;
  readonly reason?: string;
  /** Type `speed`: recipients per second before and now; null: as fast as the strategy allows. */
  readonly speed?: { readonly from: number | null; readonly to: number | null };
  /** Type `alert`: which one, and whether it begins or is over. */
  readonly alert?: { readonly name: AlertName; readonly state: 'firing' | 'resolved' };
  /** When a lock ends, if it has an end. */
  readonly until?: string;
  readonly possible_duplicate?: boolean;
  /** Sequence number of the `delivered` event that this late bounce takes back. */
  readonly corrects?: number;
  /** Type `sink_gap`: the first and the last event that are missing. */
  readonly from?: number;
  readonly to?: number;
  /** Where a late event comes from. */
  readonly report?: EventReport;
  /** Mail that no statistics count, and the campaign that it would have counted for. */
  readonly test?: boolean;
  readonly test_of?: string;
  /** The delivery that this one is a copy of. */
  readonly copy_of?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Events that end a delivery. */
export const TERMINAL: ReadonlySet<EventType> = new Set(['delivered', 'hard_bounce', 'undelivered']);
