/**
 * The rim: turns a socket and its events into `reply` and `write` with deadlines. Everything above is async/await.
 *
 * Invariants: the peer owes exactly as many replies as were asked for; one more is a fault, so nothing said in
 * advance is ever taken for an answer. A failure is final and destroys the socket; replies that came before it are
 * still handed out. One waiter at a time; one timer per connection, moved only when a deadline comes nearer.
 */
import net from 'node:net';
import tls from 'node:tls';
import type { Result } from '../../../core/index.ts';
import { CLOSING, type IoFailure } from './refusals.ts';
import { ReplyParser, toReply, type ParsedReply } from './reply-parser.ts';

export interface ConnectionTarget {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string | undefined;
}

export interface TlsFacts {
  readonly version: string;
  readonly cipher: string;
}

/**
 * What any connection reads in clear: the parser is done with it before the next read, so one serves them all and
 * nothing is allocated for a reply.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** Error codes of what this machine or process has too little of: no peer and no address is to blame. */
const OUR_LACK: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRINUSE']);

export const isOurLack = (code: string | undefined): boolean => code !== undefined && OUR_LACK.has(code);

type Stage = 'connecting' | 'plain' | 'handshake' | 'secure';

export class Connection {
  #socket: net.Socket;
  #stage: Stage = 'connecting';
  readonly #parser = new ReplyParser();
  readonly #replies: ParsedReply[] = [];
  #taken = 0;
  #owed = 1; // the greeting
  #failure: IoFailure | undefined;
  #waiter: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = 0;
  #deadlineMs = 0;
  readonly #closed = Promise.withResolvers<IoFailure>();

  /** Starts to connect. `address` is an IP address: no name is resolved here. */
  constructor(target: ConnectionTarget) {
    this.#socket = net.connect({
      host: target.address,
      port: target.port,
      ...(target.localAddress !== undefined && { localAddress: target.localAddress }),
      noDelay: true,
      autoSelectFamily: false,
      onread: { buffer: READ_BUFFER, callback: this.#onRead },
    });
    this.#socket.once('connect', this.#onConnect);
    this.#listen(this.#socket);
  }

  get failure(): IoFailure | undefined {
    return this.#failure;
  }

  /** Resolves when the connection has ended, for whatever reason; never rejects. */
  get closed(): Promise<IoFailure> {
    return this.#closed.promise;
  }

  /** Nothing that was written still waits in this process: its memory is not read any more. */
  get flushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? '';
  }

  async connected(timeoutMs: number): Promise<Result<undefined, IoFailure>> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#stage === 'connecting' && this.#failure === undefined) await this.#sleep(deadlineMs);
    return this.#failure === undefined ? { ok: true, value: undefined } : { ok: false, error: this.#failure };
  }

  /** Writes text, or parts in one system call where the kernel takes them; `owed` replies will be asked for. */
  write(data: string | readonly Buffer[], owed: number): void {
    if (this.#failure !== undefined) return;
    this.#owed += owed;
    if (typeof data === 'string') {
      this.#socket.write(data, 'utf8');
      return;
    }
    this.#socket.cork();
    for (const part of data) this.#socket.write(part);
    this.#socket.uncork();
  }

  /** The next reply, or undefined when the connection failed; the deadline is not extended by single bytes. */
  async reply(timeoutMs: number): Promise<ParsedReply | undefined> {
    if (this.#replies.length === 0) await this.#replyOrFailure(timeoutMs);
    const reply = this.#replies[this.#taken];
    if (++this.#taken >= this.#replies.length) {
      this.#replies.length = 0;
      this.#taken = 0;
    }
    return reply;
  }

  /** Waits until what was written is on its way. True when more may be written: no reply, no failure came first. */
  async drained(timeoutMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#socket.writableNeedDrain && this.#replies.length === 0 && this.#failure === undefined)
      await this.#sleep(deadlineMs);
    return this.#replies.length === 0 && this.#failure === undefined;
  }

  /**
   * Goes on encrypted. Bytes that came in clear behind the reply to STARTTLS would be read as if they had been
   * protected (RFC 3207 §4, response injection): they are a protocol failure.
   */
  async startTls(options: tls.ConnectionOptions, timeoutMs: number): Promise<TlsFacts | undefined> {
    if (!this.#parser.idle || this.#replies.length > 0)
      this.fail({ cause: 'protocol', text: 'bytes in clear behind the reply to STARTTLS' });
    if (this.#failure !== undefined) return undefined;
    this.#stage = 'handshake';
    const plain = this.#socket;
    plain.off('end', this.#onEnd).off('drain', this.#onDrain);
    const secure = tls.connect({ ...options, socket: plain });
    secure.once('secureConnect', this.#onSecure).on('data', this.#onData);
    this.#socket = secure;
    this.#listen(secure);
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#isHandshaking() && this.#failure === undefined) await this.#sleep(deadlineMs);
    if (this.#failure !== undefined) return undefined;
    return { version: secure.getProtocol() ?? 'TLS', cipher: secure.getCipher().name };
  }

  /** Ends the connection with a reason; only the first reason counts. */
  fail(failure: IoFailure): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#closed.resolve(failure);
    this.#wake();
  }

  async #replyOrFailure(timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.#replies.length === 0 && this.#failure === undefined) await this.#sleep(deadlineMs);
  }

  #isHandshaking(): boolean {
    return this.#stage === 'handshake';
  }

  #listen(socket: net.Socket): void {
    socket
      .on('end', this.#onEnd)
      .on('drain', this.#onDrain)
      .on('error', this.#onError)
      .on('close', this.#onEnd);
  }

  readonly #onConnect = (): void => {
    this.#stage = 'plain';
    this.#wake();
  };

  readonly #onSecure = (): void => {
    this.#stage = 'secure';
    this.#wake();
  };

  readonly #onDrain = (): void => this.#wake();

  readonly #onRead = (bytes: number): boolean => {
    this.#onData(READ_BUFFER.subarray(0, bytes));
    return true;
  };

  readonly #onData = (chunk: Buffer): void => {
    if (this.#failure !== undefined) return;
    const before = this.#replies.length;
    const fault = this.#parser.push(chunk, this.#replies);
    const arrived = this.#replies.length - before;
    if (arrived > this.#owed) this.#unasked(before + this.#owed);
    else if (fault !== undefined) this.fail({ cause: 'protocol', text: `the peer sent ${fault}` });
    this.#owed -= Math.min(arrived, this.#owed);
    this.#wake();
  };

  /** A reply that nobody asked for: a 421 is a farewell (RFC 5321 §3.8), all else means we are out of step. */
  #unasked(index: number): void {
    const reply = toReply(this.#replies[index]!);
    this.#replies.length = index;
    if (reply.code === CLOSING) {
      this.fail({ cause: 'disconnect', text: 'the peer closed the idle session with 421', reply });
    } else {
      this.fail({ cause: 'protocol', text: `an unasked ${reply.code}` });
    }
  }

  readonly #onEnd = (): void => {
    const cause = this.#stage === 'handshake' ? 'tls' : 'disconnect';
    this.fail({ cause, text: 'the peer closed the connection' });
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.fail({ cause: this.#causeOf(error), text: error.code ?? error.name });
  };

  #causeOf(error: NodeJS.ErrnoException): IoFailure['cause'] {
    if (this.#stage === 'handshake') return 'tls';
    if (this.#stage !== 'connecting') return 'disconnect';
    // The same code from connect(2) means a lack of ports, not of the address.
    if (error.code === 'EADDRNOTAVAIL') return error.syscall === 'bind' ? 'node_down' : 'internal';
    return isOurLack(error.code) ? 'internal' : 'connect';
  }

  /** Waits for any event, or for the deadline, which is a failure. */
  #sleep(deadlineMs: number): Promise<void> {
    this.#deadlineMs = deadlineMs;
    if (this.#timer === undefined || this.#timerAtMs > deadlineMs) this.#arm(deadlineMs);
    return new Promise(this.#park);
  }

  readonly #park = (resolve: () => void): void => {
    this.#waiter = resolve;
  };

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.();
  }

  #arm(atMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(this.#onTimer, Math.max(1, Math.ceil(atMs - performance.now())));
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined;
    if (this.#waiter === undefined) return; // nobody waits: the next wait arms it again
    if (performance.now() >= this.#deadlineMs) this.fail({ cause: 'timeout', text: 'no answer in time' });
    else this.#arm(this.#deadlineMs);
  };
}
