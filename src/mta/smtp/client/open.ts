/**
 * From nothing to a session: connect, greeting, EHLO (HELO for the very old), STARTTLS by mode, EHLO again (RFC 3207
 * §4.2: what was said in clear is forgotten). Refusals here are about the host, or about our node.
 *
 * Mode `may` never loses mail to a broken TLS: a refused STARTTLS goes on in clear, a failed handshake connects once
 * more without. Only bytes injected behind the STARTTLS reply are not answered with clear text.
 */
import { err, ok, type Phase, type Refusal, type Result } from '../../../core/index.ts';
import { NO_CAPABILITIES, parseCapabilities, type Capabilities } from './capabilities.ts';
import { Connection, type TlsFacts } from './connection.ts';
import type { SessionOptions } from './options.ts';
import { lost, outOfPlace, refusedBy, tlsRefusal } from './refusals.ts';
import { toReply, type ParsedReply } from './reply-parser.ts';
import { ClientSession } from './session.ts';
import { tlsOptions } from './tls-context.ts';

/** A refusal, and whether TLS was to blame so that clear text may still do. */
interface OpeningFailure {
  readonly refusal: Refusal;
  readonly tlsFailed: boolean;
}

type Step<T> = Result<T, OpeningFailure>;

/** Opens a session. Deadlines are those of `options.timeouts`; rejects only for options that make no sense. */
export async function openSession(options: SessionOptions): Promise<Result<ClientSession, Refusal>> {
  const first = await new Opening(options, undefined).run();
  if (first.ok) return first;
  if (options.tls !== 'may' || !first.error.tlsFailed) return err(first.error.refusal);
  const second = await new Opening(options, first.error.refusal.text).run();
  return second.ok ? second : err(second.error.refusal);
}

class Opening {
  readonly #options: SessionOptions;
  readonly #connection: Connection;
  #phase: Phase = 'connect';
  #capabilities: Capabilities = NO_CAPABILITIES;
  #tls: TlsFacts | undefined;
  /** Why TLS is left out, from the first attempt or from the peer. */
  #fallback: string | undefined;

  constructor(options: SessionOptions, fallback: string | undefined) {
    this.#options = options;
    this.#fallback = fallback;
    this.#connection = new Connection(options);
  }

  async run(): Promise<Step<ClientSession>> {
    const { signal } = this.#options;
    const abort = (): void => this.#connection.fail({ cause: 'internal', text: 'stopped by us' });
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    const opened = await this.#open();
    signal?.removeEventListener('abort', abort);
    if (!opened.ok) this.#connection.fail({ cause: 'disconnect', text: 'not needed' });
    return opened;
  }

  async #open(): Promise<Step<ClientSession>> {
    const { timeouts } = this.#options;
    const connected = await this.#connection.connected(timeouts.connectMs);
    if (!connected.ok) return this.#lost();
    const greeting = await this.#read('greeting', timeouts.greetingMs);
    if (!greeting.ok) return greeting;
    if (greeting.value.code !== 220) return this.#refused(greeting.value);
    const ready = await this.#negotiate();
    if (!ready.ok) return ready;
    return ok(this.#session(toReply(greeting.value).text));
  }

  async #negotiate(): Promise<Step<undefined>> {
    const hello = await this.#hello();
    const mode = this.#options.tls;
    if (!hello.ok || mode === 'none' || this.#fallback !== undefined) return hello;
    if (this.#capabilities.starttls) return this.#startTls();
    if (mode === 'may') return hello;
    return err({ refusal: tlsRefusal('the peer does not offer STARTTLS'), tlsFailed: false });
  }

  async #hello(): Promise<Step<undefined>> {
    const { heloName, timeouts } = this.#options;
    this.#connection.write(`EHLO ${heloName}\r\n`, 1);
    const reply = await this.#read('ehlo', timeouts.ehloMs);
    if (!reply.ok) return reply;
    if (reply.value.code === 250) {
      this.#capabilities = parseCapabilities(reply.value.lines);
      return ok(undefined);
    }
    // RFC 5321 §3.2: a peer that does not know EHLO knows HELO.
    if (reply.value.code < 500) return this.#refused(reply.value);
    this.#capabilities = NO_CAPABILITIES;
    this.#connection.write(`HELO ${heloName}\r\n`, 1);
    const old = await this.#read('ehlo', timeouts.ehloMs);
    if (!old.ok) return old;
    return old.value.code === 250 ? ok(undefined) : this.#refused(old.value);
  }

  async #startTls(): Promise<Step<undefined>> {
    const { host, tls: mode, ca, timeouts } = this.#options;
    this.#connection.write('STARTTLS\r\n', 1);
    const reply = await this.#read('starttls', timeouts.ehloMs);
    if (!reply.ok) return reply;
    if (reply.value.code !== 220) return this.#startTlsRefused(reply.value);
    this.#tls = await this.#connection.startTls(tlsOptions(host, mode === 'verify', ca), timeouts.ehloMs);
    if (this.#tls === undefined) return this.#lost();
    const hello = await this.#hello();
    // With TLS 1.3 the peer's alert arrives after our side is done: a loss here is still the handshake's.
    if (!hello.ok && this.#connection.failure !== undefined) return this.#lost('starttls');
    return hello;
  }

  #startTlsRefused(reply: ParsedReply): Step<undefined> {
    if (reply.code < 400 || reply.code === 421) return this.#refused(reply);
    const text = `the peer answered STARTTLS with ${reply.code}`;
    if (this.#options.tls !== 'may') {
      return err({ refusal: tlsRefusal(text, toReply(reply)), tlsFailed: false });
    }
    this.#fallback = text;
    return ok(undefined);
  }

  async #read(phase: Phase, timeoutMs: number): Promise<Step<ParsedReply>> {
    this.#phase = phase;
    const reply = await this.#connection.reply(timeoutMs);
    return reply === undefined ? this.#lost() : ok(reply);
  }

  #refused(reply: ParsedReply): Step<never> {
    const known = toReply(reply);
    if (reply.code >= 400) return err({ refusal: refusedBy(known, this.#phase), tlsFailed: false });
    this.#connection.fail(outOfPlace(known, this.#phase));
    return this.#lost();
  }

  #lost(phase = this.#phase): Step<never> {
    const failure = this.#connection.failure!;
    const refusal = lost(failure, phase);
    const tlsFailed = phase === 'starttls' && failure.cause !== 'protocol' && failure.cause !== 'internal';
    return err({ refusal, tlsFailed });
  }

  #session(greeting: string): ClientSession {
    const { host, timeouts, pipelining = true, chunking = true } = this.#options;
    const offered = this.#capabilities;
    const capabilities = {
      ...offered,
      pipelining: offered.pipelining && pipelining,
      chunking: offered.chunking && chunking,
    };
    const { remoteAddress, localAddress } = this.#connection;
    const tls = this.#tls;
    const tlsFallback = this.#fallback;
    const facts = { host, remoteAddress, localAddress, greeting, capabilities, tls, tlsFallback };
    return new ClientSession(this.#connection, facts, timeouts);
  }
}
