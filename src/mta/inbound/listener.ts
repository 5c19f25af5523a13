/**
 * The MX listener for reports, on the same protocol code as injection. It takes mail of `mx.domains` only, for every box
 * there, and never relays. The 250 is given when the mail is durable; what it means is found out later (reader.ts), so
 * no content can keep the listener from answering.
 */
import type { MxConfig } from '../../config/index.ts';
import { type Clock, domainOf, type Reply } from '../../core/index.ts';
import type { Queue } from '../../queue/index.ts';
import { networkCheck } from '../ingress/index.ts';
import {
  type Answer,
  createSmtpServer,
  type ReceivedMessage,
  type ServerTls,
  type SmtpServer,
  type SmtpSession,
} from '../smtp/index.ts';
import { PeerLimits } from './peer-limits.ts';

export interface ListenerOptions {
  readonly hostname: string;
  /** As it is now: a reload applies to the next command. */
  readonly mx: () => MxConfig;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly tls: ServerTls | undefined;
  /** Told when there is mail to read. */
  readonly onStored: () => void;
  /** Told what is refused: `relay`, `sessions`, `rate`, `full`, `store`, `proxy`. */
  readonly onRefused: (reason: string) => void;
  readonly onError: (error: unknown, during: string) => void;
}

/** Bytes of all messages that are being received. */
const MAX_BUFFERED = 128 * 1024 * 1024;
/** A report has one recipient; some systems collect a few. */
const MAX_RECIPIENTS = 100;

const refusal = (code: number, enhanced: string, text: string): Reply => ({ code, enhanced, text });
const RELAY_DENIED = refusal(550, '5.7.1', 'relaying denied: mail for that domain is not taken here');
const TOO_MANY_SESSIONS = refusal(421, '4.7.0', 'Too many sessions from your address, try again later');
const TOO_FAST = refusal(450, '4.7.1', 'Too many messages from your address, try again later');
const FULL = refusal(452, '4.3.1', 'Too many reports wait to be read, try again later');
const NOT_STORED = refusal(452, '4.3.1', 'The report cannot be stored now, try again later');

export function createInboundServer(options: ListenerOptions): SmtpServer {
  const { hostname, mx, queue, clock, tls, onError, onRefused } = options;
  const refuse = (reason: string, reply: Reply): Reply => {
    onRefused(reason);
    return reply;
  };
  const limits = new PeerLimits({
    maxSessions: () => mx().maxConnectionsPerPeer,
    rate: () => mx().ratePerPeer,
    mono: () => clock.mono(),
  });
  const counted = new Set<number>();
  const takes = (address: string): boolean =>
    mx().domains.includes(domainOf(address)) || address === `postmaster@${hostname}`;
  return createSmtpServer({
    hostname,
    banner: 'ESMTP Postrider reports',
    maxMessageBytes: mx().maxMessageBytes,
    maxConnections: mx().maxConnections,
    maxRecipients: MAX_RECIPIENTS,
    maxBufferedBytes: MAX_BUFFERED,
    refuseEarlyTalkers: true,
    clock,
    ...(tls && { tls }),
    trust: {
      proxyProtocol: networkCheck(() => mx().proxyProtocolFrom),
      xclient: () => false,
      login: () => false,
    },
    onProxyRefused: () => onRefused('proxy'),
    handler: {
      onConnect: (session): Answer => {
        if (!limits.open(session.peerAddress)) return refuse('sessions', TOO_MANY_SESSIONS);
        counted.add(session.id);
        return undefined;
      },
      onMail: (session): Answer => {
        if (queue.inbox.waiting.bytes >= mx().maxWaitingBytes) return refuse('full', FULL);
        return limits.take(session.peerAddress) ? undefined : refuse('rate', TOO_FAST);
      },
      onRcpt: (_, { address }): Answer => (takes(address) ? undefined : refuse('relay', RELAY_DENIED)),
      onMessage: (session, message) => store(options, session, message),
      onClose: (session) => {
        if (counted.delete(session.id)) limits.close(session.peerAddress);
      },
    },
    onError,
  });
}

async function store(
  { queue, clock, onStored, onError, onRefused }: ListenerOptions,
  session: SmtpSession,
  { from, recipients, content }: ReceivedMessage,
): Promise<Reply> {
  const { peerAddress: peer, helo } = session;
  const mail = { from, to: recipients, peer, helo, at: clock.now(), bytes: content.length };
  try {
    const id = await queue.inbox.store(queue.nextNumber(), mail, content);
    onStored();
    return { code: 250, enhanced: '2.0.0', text: `taken as ${id}` };
  } catch (error) {
    onError(error, 'storing a report');
    onRefused('store');
    return NOT_STORED;
  }
}
