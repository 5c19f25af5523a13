/**
 * A remote SMTP server as a map from command to answer. It knows nothing of the protocol but where content begins
 * and ends; whatever it should do wrong is written in the script.
 *
 *   const peer = await startPeer({ RCPT: (line) => line.includes('bad') ? '550 5.1.1 no' : '250 ok' });
 *
 * An answer is a text (CRLF is added), or a list of steps. A missing answer is the default of a well-behaved peer.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';

export type Step =
  | { readonly send: string }
  /** Every byte in a packet of its own. */
  | { readonly bytes: string }
  /** As it is, without CRLF. */
  | { readonly raw: string }
  | { readonly act: 'close' | 'reset' | 'hang' | 'tls' | 'swallow' | 'pause' };

export type Answer = string | readonly Step[];
export type Script = Readonly<Record<string, Answer | ((line: string, count: number) => Answer)>>;

export interface Accepted {
  readonly content: string;
  readonly how: 'DATA' | 'BDAT';
}

const DEFAULTS: Script = {
  greeting: '220 mx.test ESMTP',
  EHLO: '250-mx.test\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES',
  HELO: '250 mx.test',
  STARTTLS: [{ send: '220 go ahead' }, { act: 'tls' }],
  MAIL: '250 2.1.0 sender ok',
  RCPT: '250 2.1.5 recipient ok',
  DATA: '354 go on',
  content: '250 2.0.0 queued',
  BDAT: '250 2.0.0 queued',
  RSET: '250 2.0.0 flushed',
  QUIT: [{ send: '221 2.0.0 bye' }, { act: 'close' }],
  unknown: '500 5.5.2 unknown command',
};

export const CERTIFICATE = readFileSync(new URL('./tls/cert.pem', import.meta.url), 'utf8');
const KEY = readFileSync(new URL('./tls/key.pem', import.meta.url), 'utf8');

export class ScriptedPeer {
  readonly #server = net.createServer({ noDelay: true });
  readonly #script: Script;
  readonly #counts = new Map<string, number>();
  readonly #waiters: { readonly done: () => boolean; readonly resolve: () => void }[] = [];
  readonly links: Link[] = [];
  /** Every command line, of all connections. */
  readonly lines: string[] = [];
  /** Every message that was received to its end, whatever was answered. */
  readonly messages: Accepted[] = [];

  constructor(script: Script) {
    this.#script = { ...DEFAULTS, ...script };
    this.#server.on('connection', (socket) => this.links.push(new Link(this, socket)));
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  async listen(address: string): Promise<void> {
    this.#server.listen(0, address);
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    for (const link of this.links) link.end('reset');
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** The first words of all commands, which is what most tests want to know. */
  get verbs(): readonly string[] {
    return this.lines.map((line) => line.split(' ')[0]!);
  }

  /** Resolves when the condition holds; it is looked at whenever something arrives or a connection ends. */
  until(done: () => boolean): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ done, resolve }));
  }

  changed(): void {
    for (const waiter of this.#waiters) if (waiter.done()) waiter.resolve();
  }

  answerTo(verb: string, line: string): Answer {
    const count = (this.#counts.get(verb) ?? 0) + 1;
    this.#counts.set(verb, count);
    const answer = this.#script[verb] ?? this.#script['unknown']!;
    return typeof answer === 'function' ? answer(line, count) : answer;
  }
}

/** One connection to the peer. */
export class Link {
  readonly #peer: ScriptedPeer;
  #socket: net.Socket;
  #input = Buffer.alloc(0);
  #mode: 'commands' | 'content' | 'swallow' = 'commands';
  /** Bytes of a BDAT chunk that are still to come. */
  #chunk: number | undefined;
  #work: Promise<void> = Promise.resolve();
  closed = false;
  /** Something came in that the script wants to be ignored. */
  swallowed = false;

  constructor(peer: ScriptedPeer, socket: net.Socket) {
    this.#peer = peer;
    this.#socket = socket;
    this.#attach(socket);
    this.#work = this.#answer('greeting', '');
  }

  /** Says something unasked. */
  say(text: string): void {
    this.#socket.write(`${text}\r\n`);
  }

  end(how: 'close' | 'reset'): void {
    if (how === 'close') this.#socket.end();
    // A reset while the FIN is on its way would leave the handle open for ever (Node 24).
    else if (this.#socket.writableEnded || this.encrypted) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  /** Reads no more, so that the sender's window fills. */
  pause(): void {
    this.#socket.pause();
  }

  /** True when the connection is encrypted. */
  get encrypted(): boolean {
    return this.#socket instanceof tls.TLSSocket;
  }

  #attach(socket: net.Socket): void {
    socket.on('data', (chunk) => {
      this.#input = Buffer.concat([this.#input, chunk]);
      this.#work = this.#work.then(() => this.#consume());
    });
    socket.on('error', () => undefined); // resets are part of the play
    socket.on('close', () => {
      this.closed = true;
      this.#peer.changed();
    });
  }

  async #consume(): Promise<void> {
    while (await this.#consumeOne());
    this.#peer.changed();
  }

  async #consumeOne(): Promise<boolean> {
    if (this.#mode === 'swallow') {
      this.swallowed ||= this.#input.length > 0;
      this.#input = Buffer.alloc(0);
    }
    if (this.#mode === 'content') return this.#consumeContent();
    if (this.#chunk !== undefined) return this.#consumeChunk(this.#chunk);
    const end = this.#input.indexOf('\r\n');
    if (end === -1) return false;
    const line = this.#take(end, 2);
    const verb = line.split(' ')[0]!.toUpperCase();
    this.#peer.lines.push(line);
    if (verb === 'BDAT') this.#chunk = Number(line.split(' ')[1]);
    else await this.#answer(verb, line);
    return true;
  }

  async #consumeContent(): Promise<boolean> {
    const end = this.#input.indexOf('\r\n.\r\n');
    const empty = this.#input.subarray(0, 3).toString() === '.\r\n';
    if (end === -1 && !empty) return false;
    const content = empty ? this.#take(0, 3) : `${this.#take(end, 5)}\r\n`;
    this.#mode = 'commands';
    this.#peer.messages.push({ content, how: 'DATA' });
    await this.#answer('content', '');
    return true;
  }

  async #consumeChunk(bytes: number): Promise<boolean> {
    if (this.#input.length < bytes) return false;
    this.#chunk = undefined;
    this.#peer.messages.push({ content: this.#take(bytes, 0), how: 'BDAT' });
    await this.#answer('BDAT', '');
    return true;
  }

  #take(length: number, skip: number): string {
    const text = this.#input.toString('utf8', 0, length);
    this.#input = this.#input.subarray(length + skip);
    return text;
  }

  async #answer(verb: string, line: string): Promise<void> {
    this.#peer.changed();
    const answer = this.#peer.answerTo(verb, line);
    const steps: readonly Step[] = typeof answer === 'string' ? [{ send: answer }] : answer;
    const said = steps
      .map((step) => ('send' in step ? step.send : 'bytes' in step ? step.bytes : ''))
      .join('');
    if (verb === 'DATA' && /^354/m.test(said)) this.#mode = 'content';
    for (const step of steps) await this.#perform(step);
  }

  async #perform(step: Step): Promise<void> {
    if ('send' in step) this.say(step.send);
    else if ('raw' in step) this.#socket.write(step.raw);
    else if ('bytes' in step) await this.#byByte(`${step.bytes}\r\n`);
    else if (step.act === 'tls') this.#startTls();
    else if (step.act === 'swallow') this.#mode = 'swallow';
    else if (step.act === 'pause') this.pause();
    else if (step.act === 'hang') await new Promise(() => undefined);
    else this.end(step.act);
  }

  async #byByte(text: string): Promise<void> {
    for (const byte of Buffer.from(text)) {
      this.#socket.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #startTls(): void {
    this.#socket.removeAllListeners('data');
    this.#socket = new tls.TLSSocket(this.#socket, { isServer: true, key: KEY, cert: CERTIFICATE });
    this.#attach(this.#socket);
  }
}

/** A peer on a loopback address of its own choice of port; close it when the test is over. */
export async function startPeer(script: Script = {}, address = '127.0.0.1'): Promise<ScriptedPeer> {
  const peer = new ScriptedPeer(script);
  await peer.listen(address);
  return peer;
}
