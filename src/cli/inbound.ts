/** Puts the inbound side together: listener, workers, reader. Nothing of it exists where `mx.listen` is empty. */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Metrics } from '../api/index.ts';
import type { Classifier } from '../bounce/index.ts';
import type { Config } from '../config/index.ts';
import { systemClock } from '../core/index.ts';
import type { Tokens } from '../fbl/index.ts';
import { createInboundServer, InboundReader, ParsePool } from '../mta/inbound/index.ts';
import type { Injector } from '../mta/ingress/index.ts';
import type { ServerTls, SmtpServer } from '../mta/smtp/index.ts';
import type { Queue } from '../queue/index.ts';
import { reporter } from './assembly.ts';

export interface InboundOptions {
  readonly config: () => Config;
  readonly classifier: () => Classifier;
  readonly queue: Queue;
  readonly tokens: Tokens;
  readonly injector: Injector;
  readonly log: Logger;
  /** Told of what is read and refused, and when a mail cost a worker. */
  readonly counts: Pick<Metrics, 'onReport' | 'onRefused' | 'onWorkerRestart'>;
}

export interface Inbound {
  readonly reader: InboundReader;
  /** The error lines name the addresses that cannot be had. */
  listen(): Promise<readonly string[]>;
  close(drainMs: number): Promise<void>;
}

/** Undefined when nothing is to be taken. Mail that an earlier run took is read all the same, once there is a listener. */
export function createInbound({
  config,
  classifier,
  queue,
  tokens,
  injector,
  log,
  counts,
}: InboundOptions): Inbound | undefined {
  const { mx, dns, hostname } = config();
  if (mx.listen.length === 0) return undefined;
  const pool = new ParsePool({
    onRestart: () => counts.onWorkerRestart(),
    checkReporter: mx.checkReporter !== 'off',
    dnsServers:
      dns.servers === 'system'
        ? undefined
        : dns.servers.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)),
  });
  const reader = new InboundReader({
    queue,
    pool,
    tokens,
    injector,
    clock: systemClock,
    hostname,
    mx: () => config().mx,
    historyRetentionMs: () => config().historyRetentionMs,
    classifier,
    sender: () => config().mx.forwardSender ?? config().senders[0]?.name,
    onRead: (kind, verdict) => counts.onReport(kind, verdict),
    report: reporter(log),
  });
  const server = createInboundServer({
    hostname,
    mx: () => config().mx,
    queue,
    clock: systemClock,
    tls: tlsOf(mx.tls),
    onStored: () => reader.poke(),
    onRefused: (reason) => counts.onRefused(reason),
    onError: (error, during) => log.error({ err: error, during }, 'a fault of our own in an inbound session'),
  });
  return {
    reader,
    listen: async () => {
      reader.poke();
      return problemsOf(server, mx.listen);
    },
    close: async (drainMs) => {
      await server.close({ drainMs });
      await reader.stop();
    },
  };
}

async function problemsOf(server: SmtpServer, addresses: Config['mx']['listen']): Promise<string[]> {
  const problems: string[] = [];
  for (const { host, port } of addresses) {
    const bound = await server.listen({ host, port });
    if (!bound.ok) problems.push(`mx.listen: ${bound.error}`);
  }
  return problems;
}

const tlsOf = ({ certFile, keyFile }: Config['mx']['tls']): ServerTls | undefined =>
  certFile === null || keyFile === null
    ? undefined
    : { cert: readFileSync(certFile), key: readFileSync(keyFile), required: false };
