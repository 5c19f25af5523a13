/** What the program under test meets: receivers on loopback addresses, their DNS, and mail to send. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { createSmtpServer, type ClientSession, type TransactionResult } from '../../src/mta/smtp/index.ts';
import {
  type DnsStub,
  type Sink,
  type SinkOptions,
  startDnsStub,
  startSink,
  type ZoneEntry,
} from '../../src/testbed/index.ts';
import { ownAddress } from './mta.ts';

export const FROM = 'news@shop.test';

/** A receiver that goes with the test. */
export async function receiver(t: TestContext, options: SinkOptions = {}): Promise<Sink> {
  const sink = await startSink(options);
  t.after(() => sink.close());
  return sink;
}

/** A route of all mail, or of one domain, to a receiver. */
export const routeTo = (sink: { readonly port: number }, domain = '*', host = '127.0.0.1'): object => ({
  domain,
  hosts: [`${host}:${sink.port}`],
});

export interface MxHost {
  readonly address: string;
  readonly sink: Sink;
}

/** Receivers with addresses of their own on one port, as MX hosts are. */
export async function mxHosts(t: TestContext, all: readonly SinkOptions[]): Promise<MxHost[]> {
  const hosts: MxHost[] = [];
  for (const options of all) {
    const address = ownAddress();
    const port = hosts[0]?.sink.port ?? 0;
    hosts.push({ address, sink: await receiver(t, { ...options, listen: [{ host: address, port }] }) });
  }
  return hosts;
}

/** A DNS server; the zones may be changed while it runs. */
export async function dns(
  t: TestContext,
  zones: Record<string, ZoneEntry>,
): Promise<{ readonly stub: DnsStub; readonly zones: Record<string, ZoneEntry> }> {
  const stub = await startDnsStub({ zones });
  t.after(() => stub.close());
  return { stub, zones };
}

export interface Gate {
  readonly port: number;
  /** Recipients of messages that are here to the last byte and wait for their reply. */
  readonly held: ReadonlySet<string>;
  /** Answers what waits and what comes from now on. */
  open(): void;
  close(): Promise<void>;
}

/** A receiver that takes messages and keeps the answer back until it is opened. */
export async function gate(t: TestContext, port = 0): Promise<Gate> {
  const held = new Set<string>();
  const waiting = Promise.withResolvers<void>();
  const server = createSmtpServer({
    hostname: 'gate.test',
    maxConnections: 10_000,
    handler: {
      onMessage: async (_, { recipients }) => {
        for (const recipient of recipients) held.add(recipient);
        await waiting.promise;
        return undefined;
      },
    },
  });
  const bound = await server.listen({ host: '127.0.0.1', port });
  assert.ok(bound.ok);
  const close = (): Promise<void> => server.close({ drainMs: 0 });
  t.after(close);
  return { port: bound.value.port, held, open: () => waiting.resolve(), close };
}

/** A small message with the fields that it must have. */
export const mail = (to: string, fields: readonly string[] = [], body = 'Hello.\r\n'): Buffer =>
  Buffer.from(
    [`From: Shop <${FROM}>`, `To: ${to}`, 'Subject: news', ...fields, '', body].join('\r\n'),
    'latin1',
  );

/** Sends one message as it is. */
export function submit(
  session: ClientSession,
  to: string | readonly string[],
  content: Buffer,
): Promise<TransactionResult> {
  return session.send({
    from: FROM,
    recipients: typeof to === 'string' ? [to] : to,
    content: [content],
    bytes: content.length,
    dotLine: content.includes('\n.'),
    eightBit: false,
    smtpUtf8: false,
  });
}

/** A batch for so many recipients `r<i>@<domain of i>`. */
export function batch(
  count: number,
  domainOf: (i: number) => string = () => 'to.test',
  idempotencyKey?: string,
): string {
  const header = {
    from: FROM,
    idempotency_key: idempotencyKey,
    parts: { from: FROM, subject: 'news', text: 'Hello {{name}}.' },
  };
  const lines = Array.from({ length: count }, (_, i) => ({
    to: `r${i}@${domainOf(i)}`,
    vars: { name: `Reader ${i}` },
  }));
  return [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Waits for a condition that tells nobody when it comes true. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = 60_000,
): Promise<void> {
  const timeout = AbortSignal.timeout(deadlineMs);
  while (!(await condition())) {
    assert.ok(!timeout.aborted, `it did not come about: ${what}`);
    await delay(20);
  }
}
