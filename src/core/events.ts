/**
 * Events of the journal (one per attempt, exactly one terminal event per delivery). Field names are the outer
 * contract: they are what sinks, `GET /v1/events` and the CLI print. A field without a meaning is absent.
 */
import type { Bounce } from './bounce.ts';
import type { Phase } from './reply.ts';

export type DeliveryEventType = 'accepted' | 'delivered' | 'soft_bounce' | 'hard_bounce' | 'undelivered';
export type EventType = DeliveryEventType | 'moved' | 'node_state' | 'alert' | 'config';

export type UndeliveredReason =
  'attempts_exhausted' | 'lifetime' | 'removed' | 'refused' | 'dropped' | 'stop_list' | 'policy' | 'report';

export interface EventReply {
  readonly code?: number;
  readonly enhanced?: string;
  readonly text: string;
  readonly phase: Phase;
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
  readonly reason?: string;
  readonly possible_duplicate?: boolean;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Events that end a delivery. */
export const TERMINAL: ReadonlySet<EventType> = new Set(['delivered', 'hard_bounce', 'undelivered']);
