/**
 * Messages over SMTP sessions, at the least cost: the generator takes its part of the cores that the MTA needs. The
 * envelope is one write where pipelining is offered and the content another, the body is made once for a session, replies are read into a buffer of the
 * session's own and only their codes are looked at. DATA for everybody: not every MTA offers BDAT, and the comparison shall
 * be of the same work. `postrider source` is the one with switches.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Injected, Load } from './generator.ts';
import { quantile } from './report.ts';
import { FROM_ADDRESS, RECIPIENT_DOMAINS, recipientOf } from './workloads.ts';

const DATA = 'DATA\r\n';
const END = '\r\n.\r\n';
const [LINE, REPLY_ROOM] = [76, 4_096];
/** The longest header is shorter; what it leaves is part of the first line of the body. */
const HEADER_ROOM = 512;
const MAX_CONNECT_FAILURES = 3;
const DATE = new Date().toUTCString().replace('GMT', '+0000');

/** The last line of a reply. RFC 5321 §4.2.1. */
interface Reply {
  readonly code: number;
  readonly text: string;
}

export async function sendMessages(load: Load & { readonly port: number }): Promise<Injected> {
  const run = new Run(load);
  const { sessions } = load.workload;
  await Promise.all(Array.from({ length: sessions }, () => run.work()));
  return run.report();
}

class Run {
  readonly load: Load & { readonly port: number };
  readonly domains: number;
  readonly #startMs = performance.now();
  readonly #latenciesMs: Float64Array;
  #opening: Promise<unknown> = Promise.resolve();
  #begun = 0;
  #accepted = 0;
  #firstRefusal: string | undefined;

  constructor(load: Load & { readonly port: number }) {
    this.load = load;
    this.domains = load.domains ?? load.workload.domains ?? RECIPIENT_DOMAINS;
    this.#latenciesMs = new Float64Array(load.count);
  }

  /** One session after the other until all messages are begun. */
  async work(): Promise<void> {
    const content = new Content(this.load.workload.messageBytes);
    let failures = 0;
    while (this.#begun < this.load.count && failures < MAX_CONNECT_FAILURES)
      try {
        await (
          await this.#open(content)
        ).ended;
        failures = 0;
      } catch (error) {
        failures++;
        this.#firstRefusal ??= (error as Error).message;
      }
  }

  /** One at a time: a listener with a short backlog forgets some of those that come at once (OpenSMTPD: 5). */
  #open(content: Content): Promise<Session> {
    const opened = this.#opening.then(async () => {
      const session = new Session(this, content);
      await Promise.race([session.greeted, session.ended]);
      return session;
    });
    this.#opening = opened.catch(() => undefined);
    return opened;
  }

  /** The number of the next recipient; undefined when there is none. A promise while the rate says to wait. */
  next(): number | undefined | Promise<number> {
    const { count, firstIndex, ratePerSecond } = this.load;
    if (this.#begun === count) return undefined;
    const number = this.#begun++;
    const index = firstIndex + number;
    if (ratePerSecond === undefined) return index;
    const waitMs = this.#startMs + (number * 1_000) / ratePerSecond - performance.now();
    return waitMs > 0 ? delay(waitMs, index) : index;
  }

  done(startedMs: number, reply: Reply): void {
    if (reply.code === 250) this.#latenciesMs[this.#accepted++] = performance.now() - startedMs;
    else this.#firstRefusal ??= reply.text;
  }

  report(): Injected {
    const latenciesMs = this.#latenciesMs.subarray(0, this.#accepted);
    return {
      firstAtMs: performance.timeOrigin + this.#startMs,
      accepted: this.#accepted,
      seconds: (performance.now() - this.#startMs) / 1_000,
      p50Ms: quantile(latenciesMs, 0.5),
      p99Ms: quantile(latenciesMs, 0.99),
      firstRefusal: this.#firstRefusal,
    };
  }
}

/** One message in a buffer; only its header is written anew for each recipient. */
class Content {
  readonly #bytes: Buffer;
  readonly #filler: Buffer;

  constructor(messageBytes: number) {
    // The line break at the end of the last line is that of the end mark.
    const body = Buffer.alloc(Math.max(messageBytes, HEADER_ROOM) - 2, 'x');
    for (let at = HEADER_ROOM; at + 2 < body.length; at += LINE + 2) body.write('\r\n', at, 'latin1');
    this.#bytes = Buffer.concat([body, Buffer.from(END)]);
    this.#filler = Buffer.alloc(HEADER_ROOM, 'x');
  }

  /** To be written before the next call. */
  of(index: number, recipient: string): Buffer {
    const header =
      `From: <${FROM_ADDRESS}>\r\nTo: <${recipient}>\r\nSubject: message ${index}\r\nDate: ${DATE}\r\n` +
      `Message-ID: <${index}@source.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n`;
    this.#filler.copy(this.#bytes, 0);
    this.#bytes.write(header, 0, 'latin1');
    return this.#bytes;
  }
}

class Session {
  readonly #run: Run;
  readonly #content: Content;
  readonly #socket: Socket;
  readonly #greeting = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #rest = '';
  #step: (reply: Reply) => void = () => this.#greeted();
  #left: number;
  #pipelining = false;
  #quitting = false;
  #index = 0;
  #recipient = '';
  #startedMs = 0;
  #refused: Reply | undefined;

  constructor(run: Run, content: Content) {
    const { port, workload } = run.load;
    this.#run = run;
    this.#content = content;
    this.#left = workload.messagesPerSession;
    const buffer = Buffer.alloc(REPLY_ROOM);
    const callback = (length: number): boolean => {
      this.#read(buffer.toString('latin1', 0, length));
      return true;
    };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback } });
    this.#socket.resume(); // else the end of the peer's side is not seen
    this.#socket.on('error', (error) => this.#ended.reject(error));
    this.#socket.on('close', () => this.#closed());
  }

  get greeted(): Promise<void> {
    return this.#greeting.promise;
  }

  /** Rejects when the session cannot be opened or breaks. What it was sending then is not accepted. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  #closed(): void {
    if (this.#quitting) this.#ended.resolve();
    else this.#ended.reject(new Error('the session was closed'));
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\r\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (!this.#pipelining && line.startsWith('PIPELINING', 4)) this.#pipelining = true;
      if (line.charCodeAt(3) !== 0x2d) this.#step({ code: Number(line.slice(0, 3)), text: line });
    }
  }

  #greeted(): void {
    this.#greeting.resolve();
    this.#step = () => this.#begin();
    this.#socket.write('EHLO source.test\r\n', 'latin1');
  }

  #begin(): void {
    const next = this.#left-- > 0 ? this.#run.next() : undefined;
    if (next === undefined) {
      this.#quitting = true;
      this.#step = () => this.#socket.destroy();
      this.#socket.write('QUIT\r\n', 'latin1');
    } else if (typeof next === 'number') this.#envelope(next);
    else void next.then((index) => this.#envelope(index));
  }

  /** RFC 2920 §3.1: MAIL, RCPT and DATA may be one group, where that is offered. */
  #envelope(index: number): void {
    this.#index = index;
    this.#recipient = recipientOf(index, this.#run.domains);
    this.#startedMs = performance.now();
    this.#refused = undefined;
    this.#step = this.#mailAnswered;
    const mail = `MAIL FROM:<${FROM_ADDRESS}>\r\n`;
    this.#socket.write(this.#pipelining ? `${mail}${this.#rcpt()}${DATA}` : mail, 'latin1');
  }

  #rcpt(): string {
    return `RCPT TO:<${this.#recipient}>\r\n`;
  }

  readonly #mailAnswered = (reply: Reply): void => {
    this.#note(reply);
    this.#step = this.#rcptAnswered;
    if (!this.#pipelining) this.#socket.write(this.#rcpt(), 'latin1');
  };

  readonly #rcptAnswered = (reply: Reply): void => {
    this.#note(reply);
    this.#step = this.#dataAnswered;
    if (!this.#pipelining) this.#socket.write(DATA, 'latin1');
  };

  readonly #dataAnswered = (reply: Reply): void => {
    if (reply.code !== 354) return this.#answered(this.#refused ?? reply);
    this.#step = this.#answered;
    this.#socket.write(this.#content.of(this.#index, this.#recipient));
  };

  readonly #answered = (reply: Reply): void => {
    this.#run.done(this.#startedMs, this.#refused ?? reply);
    this.#begin();
  };

  #note(reply: Reply): void {
    if (reply.code !== 250) this.#refused ??= reply;
  }
}
