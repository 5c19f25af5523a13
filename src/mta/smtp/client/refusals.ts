/**
 * What a reply or a failure means, by phase:
 *   host      up to and including EHLO and STARTTLS: negative replies, failures and deadlines; never permanent, not
 *             even a 554 greeting (RFC 5321 §3.1): it speaks of this host, another MX or a later connection may do
 *   node      our own address cannot be bound: the peer has not been asked
 *   message   negative replies to MAIL, DATA and the content; also what the peer cannot take (SIZE, 8BITMIME)
 *   recipient negative replies to RCPT
 *   session   421 once mail is under way (RFC 5321 §3.8), lost connections, deadlines, replies that make no sense
 * 5yz is permanent, 4yz is not. A connection lost after the last byte of the content was written may have delivered
 * the message (RFC 1047), and says so.
 */
import { isPermanent, type Phase, type Refusal, type RefusalCause, type Reply } from '../../../core/index.ts';

/** Why no reply came. `reply` is the peer's farewell, when it said one unasked. */
export interface IoFailure {
  readonly cause: Extract<
    RefusalCause,
    'connect' | 'timeout' | 'disconnect' | 'tls' | 'protocol' | 'node_down' | 'internal'
  >;
  readonly text: string;
  readonly reply?: Reply;
}

export const CLOSING = 421;

const COMMAND: Readonly<Record<Phase, string>> = {
  connect: 'the connection',
  greeting: 'the greeting',
  ehlo: 'EHLO',
  starttls: 'STARTTLS',
  auth: 'AUTH',
  mail: 'MAIL',
  rcpt: 'RCPT',
  data: 'DATA',
  content: 'the content',
  quit: 'QUIT',
};

const isOpening = (phase: Phase): boolean =>
  phase === 'connect' || phase === 'greeting' || phase === 'ehlo' || phase === 'starttls';

function scopeOf(phase: Phase, code: number): Refusal['scope'] {
  if (isOpening(phase)) return 'host';
  if (code === CLOSING) return 'session';
  return phase === 'rcpt' ? 'recipient' : 'message';
}

/** A 4yz or 5yz reply. */
export function refusedBy(reply: Reply, phase: Phase): Refusal {
  const scope = scopeOf(phase, reply.code);
  const permanent = isPermanent(reply) && scope !== 'host';
  const text = `the peer answered ${COMMAND[phase]} with ${reply.code}`;
  return { scope, permanent, phase, reply, cause: undefined, text };
}

/** A connection that is of no use any more. */
export function lost(failure: IoFailure, phase: Phase, possiblyDelivered = false): Refusal {
  return {
    scope: scopeOfLoss(failure.cause, phase),
    permanent: false,
    phase,
    reply: failure.reply,
    cause: failure.reply === undefined ? failure.cause : undefined,
    text: `${COMMAND[phase]}: ${failure.text}`,
    ...(possiblyDelivered && { possiblyDelivered }),
  };
}

function scopeOfLoss(cause: RefusalCause, phase: Phase): Refusal['scope'] {
  if (cause === 'node_down') return 'node';
  // Stopped by ourselves, or short of descriptors or ports: nothing that the host is to blame for.
  return cause !== 'internal' && isOpening(phase) ? 'host' : 'session';
}

/** A reply that the protocol does not know at this place (a 2yz to DATA, a 354 to MAIL). */
export const outOfPlace = (reply: Reply, phase: Phase): IoFailure => ({
  cause: 'protocol',
  text: `a ${reply.code} is no answer to ${COMMAND[phase]}`,
});

/** TLS was asked for by policy and cannot be had. */
export function tlsRefusal(text: string, reply?: Reply): Refusal {
  return { scope: 'host', permanent: false, phase: 'starttls', reply, cause: 'tls', text };
}

/** The message cannot be sent to this peer as it is; nothing was written. */
export function unsupported(text: string, permanent: boolean): Refusal {
  return { scope: 'message', permanent, phase: 'mail', reply: undefined, cause: 'unsupported', text };
}

/** A mistake of ours, noticed before it did harm: the message waits, it does not bounce. */
export function internal(text: string): Refusal {
  return { scope: 'message', permanent: false, phase: 'mail', reply: undefined, cause: 'internal', text };
}
