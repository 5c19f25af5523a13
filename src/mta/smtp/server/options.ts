/**
 * What an SMTP server is told: limits, capabilities, credentials and the handler that decides on mail. Everything
 * but the host name and the handler has a default; `settingsOf` fills them in once, sessions read the result only.
 */
import type { Clock } from '../../../core/index.ts';
import { systemClock } from '../../../core/index.ts';
import type { ServerHandler } from './handler.ts';

/** The service extensions to announce. What is not announced is refused when it is used. */
export interface ServerCapabilities {
  readonly pipelining: boolean;
  readonly chunking: boolean;
  readonly eightBitMime: boolean;
  readonly smtpUtf8: boolean;
  readonly enhancedStatusCodes: boolean;
  readonly size: boolean;
  readonly dsn: boolean;
}

export interface ServerTls {
  /** PEM, the leaf first. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** True refuses mail in clear with 530 (RFC 3207 §4). */
  readonly required: boolean;
}

export interface ServerAuth {
  /** Resolves to the name the session acts under, or undefined for wrong credentials. */
  verify(user: string, password: string): Promise<string | undefined>;
}

/** Whose word on the client's address is taken. Asked with the address of each new connection. */
export interface ServerTrust {
  /** From these every connection has to begin with a PROXY protocol header, and from no others is one read. */
  proxyProtocol(address: string): boolean;
  /** These may use XCLIENT. The address is the client's, where a proxy told it. */
  xclient(address: string): boolean;
  /** Users that XCLIENT may name. */
  login(user: string): boolean;
}

export interface ServerOptions {
  /** Name in the greeting and the EHLO reply. */
  readonly hostname: string;
  readonly handler: ServerHandler;
  /** Text after the host name in the greeting. */
  readonly banner?: string;
  readonly maxMessageBytes?: number;
  readonly maxRecipients?: number;
  readonly maxConnections?: number;
  /** Longest command line, CRLF included. */
  readonly maxCommandBytes?: number;
  /** Commands in error before the session ends with 421; an accepted message resets the count. */
  readonly maxErrors?: number;
  /** Bytes of unfinished messages over all sessions; above it messages are answered 452. */
  readonly maxBufferedBytes?: number;
  /** Longest wait for the next command, and longest time a handler may think. */
  readonly idleTimeoutMs?: number;
  /** Longest wait for the next piece of content. */
  readonly dataTimeoutMs?: number;
  /** How long a closed session may take to hang up. */
  readonly lingerMs?: number;
  /** What a bare CR or LF in the content leads to; neither ever ends the content. */
  readonly bareLineEnds?: 'refuse' | 'keep';
  /** True answers 554 to a client that talks before the greeting or sends content before the 354. */
  readonly refuseEarlyTalkers?: boolean;
  /** Wait before the greeting; gives early talkers the time to show. */
  readonly greetingDelayMs?: number;
  readonly capabilities?: Partial<ServerCapabilities>;
  readonly tls?: ServerTls;
  readonly auth?: ServerAuth;
  /** Without it there is neither PROXY protocol nor XCLIENT. */
  readonly trust?: ServerTrust;
  /** Told why a connection of a proxy was refused, in one sentence. */
  readonly onProxyRefused?: (proxyAddress: string, reason: string) => void;
  readonly clock?: Clock;
  /** Told about exceptions of the handler; the client gets 451 or 421. */
  readonly onError?: (error: unknown, during: string) => void;
}

/** Options with all defaults filled in. */
export type Settings = Required<Omit<ServerOptions, 'tls' | 'auth' | 'trust' | 'capabilities'>> & {
  readonly capabilities: ServerCapabilities;
  readonly tls: ServerTls | undefined;
  readonly auth: ServerAuth | undefined;
  readonly trust: ServerTrust | undefined;
};

const CAPABILITIES: ServerCapabilities = {
  pipelining: true,
  chunking: true,
  eightBitMime: true,
  smtpUtf8: true,
  enhancedStatusCodes: true,
  size: true,
  dsn: false,
};

const MINUTE_MS = 60_000;

const DEFAULTS = {
  banner: 'ready',
  maxMessageBytes: 25 * 1024 * 1024,
  maxRecipients: 1000,
  maxConnections: 1000,
  maxCommandBytes: 4096,
  maxErrors: 10,
  maxBufferedBytes: 256 * 1024 * 1024,
  // RFC 5321 §4.5.3.2.7: a server waits at least 5 minutes for the next command.
  idleTimeoutMs: 5 * MINUTE_MS,
  dataTimeoutMs: 5 * MINUTE_MS,
  lingerMs: 2000,
  bareLineEnds: 'refuse',
  refuseEarlyTalkers: false,
  greetingDelayMs: 0,
  clock: systemClock,
  onProxyRefused: () => undefined,
  onError: () => undefined,
} as const;

export function settingsOf(options: ServerOptions): Settings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return {
    ...DEFAULTS,
    tls: undefined,
    auth: undefined,
    trust: undefined,
    ...given,
    hostname: options.hostname,
    handler: options.handler,
    capabilities: { ...CAPABILITIES, ...options.capabilities },
  };
}
