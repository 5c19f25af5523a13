/**
 * A receiver for tests and benchmarks, with switches to misbehave (sink-rules.ts) and counters of what arrived. It
 * takes mail for everybody and forgets it, unless told to keep or dump it. Not a mail server: never expose it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '../core/index.ts';
import { createSmtpServer, type BoundAddress, type SmtpServer } from '../mta/smtp/server/index.ts';
import { SinkBehaviour } from './sink-behaviour.ts';
import type { SinkMessage, SinkOptions } from './sink-options.ts';
import { SinkRecord, type SinkStats } from './sink-record.ts';

export interface Sink {
  /** In the order of `listen`, with the ports that were given. */
  readonly addresses: readonly BoundAddress[];
  /** Port of the first address. */
  readonly port: number;
  /** The first `keep` messages. */
  readonly messages: readonly SinkMessage[];
  stats(): SinkStats;
  /** Waits for a condition; false when the deadline (default 10 s) passes first. */
  until(condition: (stats: SinkStats) => boolean, deadlineMs?: number): Promise<boolean>;
  /** Ends sessions as a server that shuts down; open transactions are cut off after `drainMs` (default 0). */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

const DEFAULT_DEADLINE_MS = 10_000;
const DEFAULT_LISTEN = [{ host: '127.0.0.1', port: 0 }];
/** A sink is no target of floods: let benchmarks with thousands of sessions pass. */
const DEFAULT_MAX_SESSIONS = 100_000;

/** Starts a sink. Rejects with a sentence when an address cannot be listened on or the certificate is bad. */
export async function startSink(options: SinkOptions = {}): Promise<Sink> {
  const clock = options.clock ?? systemClock;
  const byMessageId = options.duplicatesBy === 'recipient-and-message-id';
  const record = new SinkRecord(() => clock.mono(), byMessageId);
  const messages: SinkMessage[] = [];
  if (options.dump !== undefined) await mkdir(options.dump, { recursive: true });
  const behaviour = new SinkBehaviour(options, record, (message) => {
    if (messages.length < (options.keep ?? 0)) messages.push(message);
    options.onMessage?.(message);
    return options.dump === undefined ? undefined : dump(options.dump, message);
  });
  const server = serverOf(options, behaviour);
  const addresses = await listen(server, options);
  return {
    addresses,
    port: addresses[0]?.port ?? 0,
    messages,
    stats: () => record.stats(),
    until: (condition, deadlineMs = DEFAULT_DEADLINE_MS) => record.until(condition, deadlineMs),
    close: async ({ drainMs = 0 } = {}) => {
      await server.close({ drainMs });
      record.release();
    },
  };
}

function serverOf(options: SinkOptions, behaviour: SinkBehaviour): SmtpServer {
  const { hostname = 'sink.test', tls, maxSessions = DEFAULT_MAX_SESSIONS } = options;
  return createSmtpServer({
    hostname,
    banner: 'sink',
    handler: behaviour.handler(),
    maxConnections: maxSessions,
    maxMessageBytes: options.maxMessageBytes,
    maxRecipients: options.maxRecipients,
    idleTimeoutMs: options.idleTimeoutMs,
    bareLineEnds: options.bareLineEnds,
    capabilities: options.capabilities,
    clock: options.clock,
    tls: tls && { cert: tls.cert, key: tls.key, required: tls.required ?? false },
  });
}

async function listen(server: SmtpServer, options: SinkOptions): Promise<BoundAddress[]> {
  const addresses: BoundAddress[] = [];
  for (const { host, port } of options.listen ?? DEFAULT_LISTEN) {
    const bound = await server.listen({ host, port });
    if (!bound.ok) {
      await server.close({ drainMs: 0 });
      throw new Error(bound.error);
    }
    addresses.push(bound.value);
  }
  return addresses;
}

async function dump(directory: string, message: SinkMessage): Promise<void> {
  const name = path.join(directory, String(message.number).padStart(6, '0'));
  const { content, ...envelope } = message;
  await writeFile(`${name}.eml`, content);
  await writeFile(`${name}.json`, `${JSON.stringify(envelope)}\n`);
}
