/**
 * One SMTP dialogue without a socket: bytes come in by `receive`, replies go out through a Transport. Replies to
 * pipelined commands leave in one write. While a handler's promise is open, or the peer does not read its replies,
 * nothing more is read (back-pressure). Failure policy: an exception of a handler is answered 451, one of our own 421.
 * The commands themselves are in commands.ts, mail-commands.ts, content-commands.ts and auth-commands.ts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Reply } from '../../../core/index.ts';
import { authLine } from './auth-commands.ts';
import { dispatch } from './commands.ts';
import type { Budget } from './content.ts';
import { readChunk, readData } from './content-commands.ts';
import type { AuthExchange, Dialogue, Mode, Step, TlsInfo } from './dialogue.ts';
import { greet } from './greeting.ts';
import type { Answer, SmtpSession } from './handler.ts';
import { Input } from './input.ts';
import type { Settings } from './options.ts';
import { isLoopback } from './peer-address.ts';
import { encodeReply, REPLIES, type CannedReply } from './replies.ts';
import { Transaction } from './transaction.ts';

/** The rim: what a dialogue asks of its connection. */
export interface Transport {
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localAddress: string;
  /** Neither the connection nor what a proxy said of it leaves this machine. */
  readonly onLoopback: boolean;
  /** False when the peer reads too slowly; `writable` is called when it has caught up. */
  write(text: string): boolean;
  pause(): void;
  resume(): void;
  /** Sends what is written, then FIN; what still comes in is thrown away. */
  end(): void;
  destroy(): void;
  startTls(): void;
}

/** An endless line is cut off here, whatever the limit of a line. */
const MAX_SKIPPED_BYTES = 64 * 1024;
/** RFC 4954 §4: a response of AUTH may be this long. */
const MAX_AUTH_BYTES = 12_288;
const MAX_HANDSHAKE_MS = 30_000;
const HANDLER_FAULT: Reply = { code: 451, enhanced: '4.3.0', text: 'Internal error, try again later' };

export class Conversation implements Dialogue {
  readonly id: number;
  peerAddress: string;
  peerPort: number;
  localAddress: string;
  readonly mayXclient: boolean;
  readonly settings: Settings;
  readonly input = new Input();
  readonly transaction: Transaction;
  helo = '';
  esmtp = false;
  tls: TlsInfo | undefined;
  identity: string | undefined;
  auth: AuthExchange | undefined;
  mode: Mode = 'greeting';
  readonly #transport: Transport;
  /** A handler thinks; nothing is read until it has answered. The greeting counts as a thought. */
  #suspended = true;
  #blocked = false;
  #paused = false;
  #draining = false;
  #inputEnded = false;
  #out = '';
  #errors = 0;
  #activeMs: number;

  constructor(id: number, transport: Transport, settings: Settings, budget: Budget) {
    this.id = id;
    this.peerAddress = transport.peerAddress;
    this.peerPort = transport.peerPort;
    this.localAddress = transport.localAddress;
    this.mayXclient = settings.trust?.xclient(transport.peerAddress) ?? false;
    this.settings = settings;
    this.transaction = new Transaction(settings, budget);
    this.#transport = transport;
    this.#activeMs = settings.clock.mono();
  }

  get mayAuthenticate(): boolean {
    return this.tls !== undefined || (this.#transport.onLoopback && isLoopback(this.peerAddress));
  }

  /** Greets, after the configured delay. */
  async start(): Promise<void> {
    const { greetingDelayMs, handler } = this.settings;
    if (greetingDelayMs > 0) await delay(greetingDelayMs, undefined, { ref: false });
    if (this.mode !== 'greeting') return;
    this.ask(handler.onConnect, undefined, greet);
    if (!this.#suspended) this.#run();
  }

  receive(chunk: Buffer): void {
    if (this.mode === 'closed' || this.mode === 'stalled') return;
    this.#activeMs = this.settings.clock.mono();
    if (this.mode === 'greeting' && this.settings.refuseEarlyTalkers) return this.close(REPLIES.earlyTalker);
    this.input.append(chunk);
    if (this.#suspended || this.#blocked) this.#pause();
    else this.#run();
  }

  /** The peer has sent FIN: what it asked for is still answered. */
  ended(): void {
    this.#inputEnded = true;
    if (this.mode === 'stalled') this.destroy();
    else if (!this.#suspended && !this.#blocked) this.hangUp();
  }

  /** The peer has read what was written. */
  writable(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    if (!this.#suspended) this.#run();
  }

  secured(info: TlsInfo): void {
    this.tls = info;
    this.mode = 'command';
  }

  /** Called from time to time: ends the session when its peer, or its handler, is too slow. */
  expire(nowMs: number): void {
    const idleMs = nowMs - this.#activeMs;
    if (this.mode === 'stalled' || idleMs < this.#patienceMs()) return;
    if (this.mode === 'closed' || this.mode === 'handshake' || this.#blocked) this.destroy();
    else this.close(REPLIES.timeout);
  }

  /** The server shuts down: ends now, or after the transaction that is open. */
  drain(): void {
    this.#draining = true;
    if (this.mode === 'stalled' || this.mode === 'handshake') this.destroy();
    else if (this.mode === 'greeting') this.close(REPLIES.shutdown);
    else if (!this.#suspended && !this.#blocked) this.#closeIfDrained();
  }

  /** The connection is gone, whoever ended it. */
  gone(): void {
    this.#shut();
    this.settings.handler.onClose?.(this);
  }

  // Dialogue: what the commands use.

  reply(canned: CannedReply): void {
    this.write(this.settings.capabilities.enhancedStatusCodes ? canned.enhancedWire : canned.plainWire);
  }

  answer(reply: Reply): void {
    if (!(reply.code >= 200 && reply.code <= 599)) {
      this.settings.onError(new Error(`a handler answered with code ${reply.code}`), 'reply');
      return this.reply(REPLIES.handlerFault);
    }
    this.write(encodeReply(reply, this.settings.capabilities.enhancedStatusCodes));
    if (reply.code === 421) this.hangUp();
  }

  refuse(canned: CannedReply): void {
    this.reply(canned);
    this.countError();
  }

  countError(): void {
    if (++this.#errors >= this.settings.maxErrors) this.close(REPLIES.tooManyErrors);
  }

  forgiveErrors(): void {
    this.#errors = 0;
  }

  write(text: string): void {
    if (this.mode !== 'closed' && this.mode !== 'stalled') this.#out += text;
  }

  ask<A>(method: ((session: SmtpSession, arg: A) => Answer) | undefined, arg: A, step: Step): void {
    if (method === undefined) return this.#proceed(step, undefined);
    let answer: Answer;
    try {
      answer = method.call(this.settings.handler, this, arg);
    } catch (error) {
      answer = this.#fault(error);
    }
    if (answer instanceof Promise) void this.#wait(answer, step);
    else this.#proceed(step, answer);
  }

  async suspend<T>(promise: Promise<T>, step: (c: Dialogue, value: T) => void): Promise<void> {
    this.#suspended = true;
    const value = await promise;
    this.#activeMs = this.settings.clock.mono();
    if (this.mode === 'closed' || this.mode === 'stalled') return;
    this.#suspended = false;
    try {
      step(this, value);
    } catch (error) {
      this.#bug(error);
    }
    this.#run();
  }

  /** Discards what came in clear behind STARTTLS (RFC 3207 §4.2, command injection) and hands over. */
  startTls(): void {
    this.reply(REPLIES.tlsReady);
    this.flush();
    this.input.discard();
    this.mode = 'handshake';
    this.#transport.startTls();
  }

  close(canned: CannedReply): void {
    this.reply(canned);
    this.hangUp();
  }

  hangUp(): void {
    if (this.mode === 'closed') return;
    this.flush();
    this.#shut();
    this.#transport.end();
  }

  // SmtpSession

  flush(): void {
    if (this.#out === '') return;
    const text = this.#out;
    this.#out = '';
    if (!this.#transport.write(text)) this.#blocked = true;
  }

  destroy(): void {
    this.#shut();
    this.#transport.destroy();
  }

  stall(reading: 'discard' | 'stop'): void {
    this.flush();
    this.mode = 'stalled';
    this.input.discard();
    this.transaction.reset();
    if (reading === 'stop') this.#pause();
    else this.#resume();
  }

  #shut(): void {
    this.mode = 'closed';
    this.#activeMs = this.settings.clock.mono();
    this.input.discard();
    this.transaction.reset();
    this.#resume();
  }

  #patienceMs(): number {
    if (this.mode === 'closed') return this.settings.lingerMs;
    if (this.mode === 'handshake') return Math.min(MAX_HANDSHAKE_MS, this.settings.idleTimeoutMs);
    const reading = (this.mode === 'data' || this.mode === 'chunk') && !this.#suspended;
    return reading ? this.settings.dataTimeoutMs : this.settings.idleTimeoutMs;
  }

  #proceed(step: Step, answer: Reply | undefined): void {
    this.#suspended = false;
    if (this.mode !== 'closed' && this.mode !== 'stalled') step(this, answer);
  }

  async #wait(answer: Promise<Reply | undefined>, step: Step): Promise<void> {
    await this.suspend(
      answer.catch((error: unknown) => this.#fault(error)),
      step,
    );
  }

  #fault(error: unknown): Reply {
    this.settings.onError(error, 'handler');
    return HANDLER_FAULT;
  }

  #bug(error: unknown): void {
    this.settings.onError(error, this.mode);
    this.close(REPLIES.fault);
  }

  #run(): void {
    try {
      while (!this.#suspended && !this.#blocked && this.input.remaining > 0 && this.#step());
    } catch (error) {
      this.#bug(error);
    }
    if (this.#suspended || this.mode === 'closed' || this.mode === 'stalled') return;
    this.#closeIfDrained();
    this.flush();
    if (this.#inputEnded && !this.#blocked) return this.hangUp();
    if (!this.#blocked) this.#resume();
  }

  /** Consumes one line or one piece of content. False when more bytes are needed. */
  #step(): boolean {
    switch (this.mode) {
      case 'command':
        return this.#line(this.settings.maxCommandBytes);
      case 'auth':
        return this.#line(MAX_AUTH_BYTES);
      case 'data':
        readData(this);
        return true;
      case 'chunk':
        readChunk(this);
        return true;
      default:
        return false;
    }
  }

  #line(maxBytes: number): boolean {
    const status = this.input.nextLine(maxBytes);
    if (status === 'line') {
      if (this.mode === 'auth') authLine(this, this.input.bytes, this.input.start, this.input.end);
      else dispatch(this, this.input.bytes, this.input.start, this.input.end);
      return true;
    }
    if (status === 'more') {
      if (this.input.skipped > MAX_SKIPPED_BYTES) this.close(REPLIES.commandTooLong);
      return false;
    }
    if (this.mode === 'auth') this.mode = 'command';
    this.refuse(status === 'bare' ? REPLIES.bareLineEnd : REPLIES.commandTooLong);
    return true;
  }

  #closeIfDrained(): void {
    if (this.#draining && this.mode === 'command' && !this.transaction.open) this.close(REPLIES.shutdown);
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#transport.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#transport.resume();
  }
}
