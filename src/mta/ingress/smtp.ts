/**
 * Injection over SMTP. Mail is taken from `relay_from` addresses and authenticated users only: never an open relay.
 * The 250 is given when the message is durable; a client that goes away before that has delivered nothing.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList } from 'node:net';
import type { Cidr } from '../../config/index.ts';
import type { Reply } from '../../core/index.ts';
import type { StopList } from '../../queue/index.ts';
import {
  type Answer,
  createSmtpServer,
  type ReceivedMessage,
  type ServerHandler,
  type ServerTls,
  type SmtpServer,
  type SmtpSession,
} from '../smtp/index.ts';
import type { Injector, Origin } from './contract.ts';
import { stoppedText } from './recipient.ts';

/** Who may inject; read anew for each session, so a reload applies at once. */
export interface InjectionAccess {
  readonly relayFrom: readonly Cidr[];
  readonly users: ReadonlyMap<string, InjectionUser>;
}

export interface InjectionUser {
  readonly password: string;
  /** Names it may send as; empty means all. */
  readonly senders: readonly string[];
}

export interface InjectionServerOptions {
  readonly hostname: string;
  readonly maxMessageBytes: number;
  readonly maxRecipients: number;
  readonly injector: Injector;
  readonly access: () => InjectionAccess;
  readonly stopList: Pick<StopList, 'find'>;
  /** Undefined offers no STARTTLS. */
  readonly tls: ServerTls | undefined;
  readonly offerAuth: boolean;
  readonly onError: (error: unknown, during: string) => void;
}

const RELAY_DENIED: Reply = {
  code: 550,
  enhanced: '5.7.1',
  text: 'relaying denied: this address is not in smtp.relay_from and the session is not authenticated',
};
const AUTH_NEEDED: Reply = { code: 530, enhanced: '5.7.0', text: 'authentication required' };

export function createInjectionServer(options: InjectionServerOptions): SmtpServer {
  const { injector, access, stopList, offerAuth, tls, hostname, maxMessageBytes, maxRecipients, onError } =
    options;
  const mayRelay = relayCheck(access);
  const handler: ServerHandler = {
    onMail: (session): Answer => (mayRelay(session) ? undefined : offerAuth ? AUTH_NEEDED : RELAY_DENIED),
    onRcpt: (_, { address }): Answer => {
      // The account stands in the header: entries of accounts end the delivery before it is sent.
      const entry = stopList.find(address, undefined);
      return entry && { code: 550, enhanced: '5.7.1', text: stoppedText(entry) };
    },
    onMessage: (session, message) => accept(injector, message, originOf(session, access())),
  };
  return createSmtpServer({
    hostname,
    handler,
    banner: 'Postrider',
    maxMessageBytes,
    maxRecipients,
    ...(tls && { tls }),
    ...(offerAuth && {
      auth: { verify: (user, password) => Promise.resolve(verify(access(), user, password)) },
    }),
    onError,
  });
}

async function accept(injector: Injector, message: ReceivedMessage, origin: Origin): Promise<Reply> {
  const { from, recipients, content } = message;
  const injected = await injector.inject({ from, to: recipients, content, labels: {}, origin });
  if (injected.ok) return { code: 250, enhanced: '2.0.0', text: `queued as ${injected.value.messageId}` };
  const { code, enhanced, text } = injected.error;
  return { code, enhanced, text };
}

function originOf(session: SmtpSession, { users }: InjectionAccess): Origin {
  const secure = session.tls ? 'S' : '';
  const authenticated = session.identity === undefined ? '' : 'A';
  const senders = session.identity === undefined ? [] : (users.get(session.identity)?.senders ?? []);
  return {
    protocol: session.esmtp ? (`ESMTP${secure}${authenticated}` as Origin['protocol']) : 'SMTP',
    helo: session.helo,
    peerAddress: session.peerAddress,
    allowedSenders: senders.length > 0 ? senders : undefined,
  };
}

/** Compares digests, so neither the length nor the first wrong character shows in the time it takes. */
function verify({ users }: InjectionAccess, user: string, password: string): string | undefined {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const wanted = users.get(user);
  const equal = timingSafeEqual(digest(password), digest(wanted?.password ?? ''));
  return wanted && wanted.password !== '' && equal ? user : undefined;
}

/** The list is built once for each configuration. */
function relayCheck(access: () => InjectionAccess): (session: SmtpSession) => boolean {
  let built: { readonly from: readonly Cidr[]; readonly list: BlockList } | undefined;
  return (session) => {
    if (session.identity !== undefined) return true;
    const { relayFrom } = access();
    if (built?.from !== relayFrom) built = { from: relayFrom, list: blockList(relayFrom) };
    return built.list.check(session.peerAddress, session.peerAddress.includes(':') ? 'ipv6' : 'ipv4');
  };
}

function blockList(ranges: readonly Cidr[]): BlockList {
  const list = new BlockList();
  for (const { address, prefix, family } of ranges) list.addSubnet(address, prefix, family);
  return list;
}
