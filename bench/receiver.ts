/**
 * The receiver in a process of its own: takes all mail, counts who got it (arrivals.ts) and forgets it. It takes its
 * part of the cores that the MTA needs, so it does as little as can be done: it trusts its peers to speak SMTP, reads
 * commands by their first letters, looks at content only for its end, and writes once for all it has read. `postrider sink` is the
 * one with checks and switches.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Arrivals, type Arrived } from './arrivals.ts';
import { answerJobs } from './child.ts';
import type { Refusals } from './workloads.ts';

export interface Listen {
  readonly refusals?: Refusals | undefined;
  /** Counts the messages with a signature. */
  readonly dkim: boolean;
}

export interface ReceiverJobs {
  readonly listen: { readonly job: Listen; readonly answer: { readonly port: number } };
  /** Answers when so many recipients have got mail since the start, or at the deadline with what is there. */
  readonly until: {
    readonly job: { readonly recipients: number; readonly deadlineMs: number };
    readonly answer: Arrived;
  };
}

const [LF, C, DIGIT_0, DIGIT_9] = [10, 0x63, 0x30, 0x39];
const LOWER_CASE = 0x20;
const END = Buffer.from('\r\n.\r\n');
const SIGNATURE = 'DKIM-Signature:';
const HELLO = ['receiver.test', 'PIPELINING', 'SIZE 52428800', 'CHUNKING', '8BITMIME', 'ENHANCEDSTATUSCODES']
  .map((line, i, all) => `250${i === all.length - 1 ? ' ' : '-'}${line}\r\n`)
  .join('');
const GREETING = '220 receiver.test ESMTP\r\n';
const OK = '250 2.0.0 Ok\r\n';
const RECIPIENT = {
  take: '250 2.1.5 Ok\r\n',
  never: '550 5.1.1 No such user\r\n',
  later: '451 4.7.1 Greylisted\r\n',
} as const;

class Session {
  readonly #socket: Socket;
  readonly #arrivals: Arrivals;
  readonly #dkim: boolean;
  #mode: 'command' | 'data' | 'bdat' = 'command';
  /** The start of a line, or the end of what was read of a content, that the next chunk goes on with. */
  #rest: Buffer = Buffer.alloc(0);
  readonly #recipients: number[] = [];
  #bytes = 0;
  #signed = false;
  /** Of a BDAT command. */
  #missing = 0;
  #last = false;
  #replies = '';

  constructor(socket: Socket, arrivals: Arrivals, dkim: boolean) {
    this.#socket = socket;
    this.#arrivals = arrivals;
    this.#dkim = dkim;
  }

  read(chunk: Buffer): void {
    let at = 0;
    if (this.#mode === 'command' && this.#rest.length > 0) {
      chunk = Buffer.concat([this.#rest, chunk]);
      this.#rest = chunk.subarray(0, 0);
    }
    while (at < chunk.length) {
      if (this.#mode === 'data') at = this.#data(chunk, at);
      else if (this.#mode === 'bdat') at = this.#bdat(chunk, at);
      else {
        const end = chunk.indexOf(LF, at);
        if (end < 0) this.#rest = chunk.subarray(at);
        else this.#command(chunk, at, end);
        at = end < 0 ? chunk.length : end + 1;
      }
    }
    if (this.#replies === '') return;
    this.#socket.write(this.#replies, 'latin1');
    this.#replies = '';
  }

  #command(chunk: Buffer, at: number, end: number): void {
    switch (String.fromCharCode(chunk[at]! | LOWER_CASE)) {
      case 'r': {
        if ((chunk[at + 1]! | LOWER_CASE) !== C) return this.#begin(); // RSET
        const index = numberIn(chunk, at, end);
        const verdict = this.#arrivals.verdict(index);
        if (verdict === 'take') this.#recipients.push(index);
        this.#replies += RECIPIENT[verdict];
        return;
      }
      case 'd':
        this.#replies += this.#recipients.length > 0 ? '354 Go on\r\n' : '554 5.5.1 No recipients\r\n';
        if (this.#recipients.length > 0) this.#mode = 'data';
        return;
      case 'b':
        this.#missing = Number(/\d+/.exec(chunk.toString('latin1', at, end)));
        this.#last = /LAST/i.test(chunk.toString('latin1', at, end));
        this.#mode = 'bdat';
        if (this.#missing === 0) this.#chunkDone();
        return;
      case 'e':
        this.#replies += HELLO;
        return;
      case 'q':
        this.#replies += '221 2.0.0 Bye\r\n';
        return this.#quit();
      default:
        return this.#begin(); // MAIL, NOOP, HELO
    }
  }

  #begin(): void {
    this.#recipients.length = 0;
    this.#replies += OK;
  }

  #quit(): void {
    this.#socket.end(this.#replies, 'latin1');
    this.#replies = '';
  }

  /** The position behind what belongs to the content. RFC 5321 §4.1.1.4: it ends with CRLF.CRLF. */
  #data(chunk: Buffer, at: number): number {
    const straddling = this.#straddling(chunk, at);
    const found = straddling === undefined ? chunk.indexOf(END, at) : -1;
    const end = straddling ?? (found < 0 ? chunk.length : found + END.length);
    this.#look(chunk, at, end);
    if (straddling === undefined && found < 0) {
      const kept = Math.max(at, end - (END.length - 1));
      const before = end - at < END.length - 1 ? this.#rest : this.#rest.subarray(0, 0);
      this.#rest = Buffer.concat([before, chunk.subarray(kept, end)]).subarray(-(END.length - 1));
    } else this.#finish();
    return end;
  }

  /** Where the content ends when its end began in an earlier chunk. */
  #straddling(chunk: Buffer, at: number): number | undefined {
    const { length } = this.#rest;
    if (length === 0) return undefined;
    const seam = Buffer.concat([this.#rest, chunk.subarray(at, at + END.length - 1)]);
    const found = seam.indexOf(END);
    return found < 0 ? undefined : at + found + END.length - length;
  }

  #bdat(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#missing);
    this.#look(chunk, at, end);
    this.#missing -= end - at;
    if (this.#missing === 0) this.#chunkDone();
    return end;
  }

  /** RFC 3030 §2: each chunk is answered; the message is complete with the last one. */
  #chunkDone(): void {
    if (this.#recipients.length === 0) {
      this.#replies += '554 5.5.1 No recipients\r\n';
      this.#bytes = 0;
      this.#mode = 'command';
    } else if (this.#last) this.#finish();
    else {
      this.#replies += OK;
      this.#mode = 'command';
    }
  }

  /** The header is at the start, in the first chunk with content. */
  #look(chunk: Buffer, at: number, end: number): void {
    if (this.#dkim && this.#bytes === 0) this.#signed = chunk.subarray(at, end).includes(SIGNATURE);
    this.#bytes += end - at;
  }

  #finish(): void {
    this.#arrivals.taken(this.#recipients, this.#bytes, this.#signed);
    this.#recipients.length = 0;
    this.#rest = this.#rest.subarray(0, 0);
    this.#bytes = 0;
    this.#mode = 'command';
    this.#replies += OK;
  }
}

/** The first number behind the `<` of a command. */
function numberIn(chunk: Buffer, from: number, end: number): number {
  let at = chunk.indexOf('<', from) + 1;
  while (at < end && (chunk[at]! < DIGIT_0 || chunk[at]! > DIGIT_9)) at++;
  let value = 0;
  for (; at < end && chunk[at]! >= DIGIT_0 && chunk[at]! <= DIGIT_9; at++)
    value = value * 10 + chunk[at]! - DIGIT_0;
  return value;
}

let arrivals: Arrivals | undefined;

answerJobs<ReceiverJobs>({
  listen: async ({ refusals, dkim }) => {
    const counted = (arrivals = new Arrivals(refusals));
    const server = createServer({ noDelay: true }, (socket) => {
      const session = new Session(socket, counted, dkim);
      counted.opened();
      socket.on('data', (chunk: Buffer) => session.read(chunk));
      socket.on('error', () => undefined); // a peer that goes away; what it did not bring does not arrive
      socket.on('close', () => counted.closed());
      socket.write(GREETING, 'latin1');
    });
    server.listen(0, '127.0.0.1', 1_000);
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port };
  },
  until: ({ recipients, deadlineMs }) => arrivals!.until(recipients, deadlineMs),
});
