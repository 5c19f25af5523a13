/** A dialogue without a socket: what tests send, and all that was answered. */
import type { Clock } from '../../../src/core/index.ts';
import { Budget } from '../../../src/mta/smtp/server/content.ts';
import { Conversation, type Transport } from '../../../src/mta/smtp/server/conversation.ts';
import type { ReceivedMessage, ServerHandler } from '../../../src/mta/smtp/server/handler.ts';
import { settingsOf, type ServerOptions } from '../../../src/mta/smtp/server/options.ts';

export class FakeTransport implements Transport {
  readonly peerAddress: string;
  readonly peerPort = 4711;
  readonly localAddress = '192.0.2.1';
  readonly onLoopback: boolean;
  readonly writes: string[] = [];
  readonly events: string[] = [];
  /** What `write` answers: false is a peer that does not read. */
  accepts = true;

  constructor(peerAddress: string) {
    this.peerAddress = peerAddress;
    this.onLoopback = peerAddress.startsWith('127.');
  }

  write(text: string): boolean {
    this.writes.push(text);
    return this.accepts;
  }

  pause = (): void => void this.events.push('pause');
  resume = (): void => void this.events.push('resume');
  end = (): void => void this.events.push('end');
  destroy = (): void => void this.events.push('destroy');
  startTls = (): void => void this.events.push('startTls');
}

export class FakeClock implements Clock {
  ms = 0;
  now = (): number => this.ms;
  mono = (): number => this.ms;
}

export interface Dialogue {
  readonly c: Conversation;
  readonly transport: FakeTransport;
  readonly clock: FakeClock;
  readonly messages: ReceivedMessage[];
  readonly errors: unknown[];
  readonly budget: Budget;
  /** Sends bytes (text as latin1) and returns what was answered to them. */
  send(text: string | Buffer): string;
  /** Everything answered since the last call. */
  answered(): string;
}

export interface DialogueOptions extends Partial<Omit<ServerOptions, 'handler'>> {
  readonly handler?: Partial<ServerHandler>;
  readonly peerAddress?: string;
}

export function dialogue(options: DialogueOptions = {}): Dialogue {
  const { handler, peerAddress = '192.0.2.7', ...rest } = options;
  const transport = new FakeTransport(peerAddress);
  const clock = new FakeClock();
  const messages: ReceivedMessage[] = [];
  const errors: unknown[] = [];
  const collect: ServerHandler = { onMessage: (_session, message) => void messages.push(message) };
  const settings = settingsOf({
    hostname: 'mx.test',
    clock,
    onError: (error) => errors.push(error),
    ...rest,
    handler: { ...collect, ...handler },
  });
  const budget = new Budget(settings.maxBufferedBytes);
  const c = new Conversation(1, transport, settings, budget);
  const answered = (): string => transport.writes.splice(0).join('');
  const send = (text: string | Buffer): string => {
    c.receive(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return answered();
  };
  void c.start();
  return { c, transport, clock, messages, errors, budget, send, answered };
}

/** A dialogue after greeting and EHLO. */
export function greeted(options: DialogueOptions = {}): Dialogue {
  const d = dialogue(options);
  d.answered();
  d.send('EHLO me.test\r\n');
  return d;
}

/** A dialogue that has a sender and one recipient. */
export function withEnvelope(options: DialogueOptions = {}): Dialogue {
  const d = greeted(options);
  d.send('MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n');
  return d;
}

/** The codes at the beginning of the lines of a reply. */
export const codes = (text: string): number[] =>
  text
    .split('\r\n')
    .filter((line) => line !== '' && line[3] !== '-')
    .map((line) => Number(line.slice(0, 3)));
