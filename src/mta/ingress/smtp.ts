/**
 * Injection over SMTP. Mail is taken from `relay_from` addresses and authenticated users only: never an open relay.
 * The 250 is given when the message is durable; a client that goes away before that has delivered nothing.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Cidr } from '../../config/index.ts';
import type { MessageId, Reply, Result } from '../../core/index.ts';
import {
  type Answer,
  createSmtpServer,
  type ReceivedMessage,
  type ServerHandler,
  type ServerTls,
  type SmtpServer,
  type SmtpSession,
} from '../smtp/index.ts';
import type { InjectionRefusal, Intake, Origin } from './contract.ts';
import { networkCheck } from './networks.ts';
import { type MessageLimits, prepareMessage } from './prepare.ts';

/** Who may inject; read anew for each session, so a reload applies at once. */
export interface InjectionAccess {
  readonly relayFrom: readonly Cidr[];
  /** Load balancers: from these a connection must begin with a PROXY header. */
  readonly proxyProtocolFrom: readonly Cidr[];
  /** Proxies that may use XCLIENT. */
  readonly xclientFrom: readonly Cidr[];
  readonly users: ReadonlyMap<string, InjectionUser>;
}

export interface InjectionUser {
  readonly password: string;
  /** Names it may send as; empty means all. */
  readonly senders: readonly string[];
  /** Accounts its mail may name; empty means any. */
  readonly accounts: readonly string[];
}

/** What a reload replaces. Host name and limits of the dialogue itself are those of the start. */
export type InjectionRules = InjectionAccess & MessageLimits;

export interface InjectionServerOptions {
  readonly rules: () => InjectionRules;
  readonly intake: Intake;
  readonly now: () => number;
  /** Undefined offers no STARTTLS. */
  readonly tls: ServerTls | undefined;
  readonly offerAuth: boolean;
  readonly onProxyRefused: (refusal: ProxyRefusal) => void;
  readonly onError: (error: unknown, during: string) => void;
}

/** A connection of a load balancer that did not begin as it has to. */
export interface ProxyRefusal {
  readonly proxy: string;
  readonly reason: string;
  /** How many more there were since the last one that was told of. */
  readonly others: number;
}

/** A load balancer that is set up wrong is told of once in this time, not once for each connection. */
const REFUSALS_EVERY_MS = 10_000;

const RELAY_DENIED: Reply = {
  code: 550,
  enhanced: '5.7.1',
  text: 'relaying denied: this address is not in smtp.relay_from and the session is not authenticated',
};
const AUTH_NEEDED: Reply = { code: 530, enhanced: '5.7.0', text: 'authentication required' };

export function createInjectionServer(options: InjectionServerOptions): SmtpServer {
  const { rules, intake, offerAuth, tls, now, onProxyRefused, onError } = options;
  const { hostname, maxMessageBytes, maxRecipients } = rules();
  const relays = networkCheck(() => rules().relayFrom);
  const mayRelay = ({ identity, peerAddress }: SmtpSession): boolean =>
    identity !== undefined || relays(peerAddress);
  const handler: ServerHandler = {
    onMail: (session): Answer => (mayRelay(session) ? undefined : offerAuth ? AUTH_NEEDED : RELAY_DENIED),
    onRcpt: (_, { address }): Answer => {
      // The account stands in the header: entries of accounts end the delivery before it is sent.
      const stopped = intake.stopped(address);
      return stopped instanceof Promise ? stopped.then(stoppedReply) : stoppedReply(stopped);
    },
    onMessage: (session, message): Answer => accept(options, message, originOf(session, rules())),
  };
  return createSmtpServer({
    hostname,
    handler,
    banner: 'Postrider',
    maxMessageBytes,
    maxRecipients,
    ...(tls && { tls }),
    ...(offerAuth && {
      auth: { verify: (user, password) => Promise.resolve(verify(rules(), user, password)) },
    }),
    trust: {
      proxyProtocol: networkCheck(() => rules().proxyProtocolFrom),
      xclient: networkCheck(() => rules().xclientFrom),
      login: (user) => rules().users.has(user),
    },
    onProxyRefused: sparingly(onProxyRefused, now),
    onError,
  });
}

function sparingly(
  tell: (refusal: ProxyRefusal) => void,
  now: () => number,
): (proxy: string, reason: string) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  let others = 0;
  return (proxy, reason) => {
    const sinceMs = now() - toldAt;
    // A clock that was set back must not silence it.
    if (sinceMs >= 0 && sinceMs < REFUSALS_EVERY_MS) {
      others++;
      return;
    }
    toldAt = now();
    tell({ proxy, reason, others });
    others = 0;
  };
}

const stoppedReply = (text: string | undefined): Reply | undefined =>
  text === undefined ? undefined : { code: 550, enhanced: '5.7.1', text };

function accept(
  { rules, intake, now }: InjectionServerOptions,
  { from, recipients, content, lines }: ReceivedMessage,
  origin: Origin,
): Answer {
  const prepared = prepareMessage({ from, to: recipients, content, lines, labels: {}, origin }, rules(), {
    nextNumber: () => intake.nextNumber(),
    now: now(),
  });
  return prepared.ok ? intake.submit(prepared.value).then(replyOf) : replyOf(prepared);
}

function replyOf(submitted: Result<MessageId, InjectionRefusal>): Reply {
  if (submitted.ok) return { code: 250, enhanced: '2.0.0', text: `queued as ${submitted.value}` };
  const { code, enhanced, text } = submitted.error;
  return { code, enhanced, text };
}

function originOf(session: SmtpSession, { users }: InjectionAccess): Origin {
  const secure = session.tls ? 'S' : '';
  const authenticated = session.identity === undefined ? '' : 'A';
  const user = session.identity === undefined ? undefined : users.get(session.identity);
  const { senders = [], accounts = [] } = user ?? {};
  return {
    protocol: session.esmtp ? (`ESMTP${secure}${authenticated}` as Origin['protocol']) : 'SMTP',
    helo: session.helo,
    peerAddress: session.peerAddress,
    allowedSenders: senders.length > 0 ? senders : undefined,
    allowedAccounts: accounts.length > 0 ? accounts : undefined,
    ...(session.identity !== undefined && { caller: `user ${session.identity}` }),
  };
}

/** Compares digests, so neither the length nor the first wrong character shows in the time it takes. */
function verify({ users }: InjectionAccess, user: string, password: string): string | undefined {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const wanted = users.get(user);
  const equal = timingSafeEqual(digest(password), digest(wanted?.password ?? ''));
  return wanted && wanted.password !== '' && equal ? user : undefined;
}
