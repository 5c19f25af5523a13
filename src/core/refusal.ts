/**
 * A refusal is a negative reply or a failure on the way to one, as a value. `scope` says what it speaks of, so what
 * it stops; `permanent` whether asking again can help. What follows from a refusal is decided in one place only
 * (mta/egress/decide.ts).
 */
import type { Phase, Reply } from './reply.ts';

export type RefusalScope = 'recipient' | 'message' | 'session' | 'host' | 'node';

/** Why a refusal without a reply of the peer came about. */
export type RefusalCause =
  | 'connect'
  | 'timeout'
  | 'disconnect'
  | 'dns'
  | 'tls'
  | 'protocol'
  | 'node_down'
  | 'unsupported'
  | 'dkim'
  | 'internal';

export interface Refusal {
  readonly scope: RefusalScope;
  readonly permanent: boolean;
  readonly phase: Phase;
  /** The peer's words, when there are any. */
  readonly reply: Reply | undefined;
  /** Why, when the peer said nothing; undefined means the reply is the reason. */
  readonly cause: RefusalCause | undefined;
  /** One line for people: what happened and where (no address of a recipient in it). */
  readonly text: string;
  /** True when the peer may have taken the message all the same (lost after the final dot was sent). */
  readonly possiblyDelivered?: boolean;
}
