/** A client that is only a socket: tests write what they like and wait for what must come. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

const DEADLINE_MS = 60_000;

export class Talk {
  #socket: Socket | TLSSocket;
  #received = '';
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }

  get socket(): Socket {
    return this.#socket;
  }

  send(text: string | Buffer): void {
    this.#socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  /** Waits for a text that matches and returns all up to its end; what follows is for the next call. */
  async expect(pattern: RegExp): Promise<string> {
    const found = await this.#wait(() => pattern.exec(this.#received) ?? (this.#ended ? 'ended' : undefined));
    assert.ok(typeof found !== 'string', `connection ended before ${pattern}; received: ${this.#received}`);
    const end = found.index + found[0].length;
    const text = this.#received.slice(0, end);
    this.#received = this.#received.slice(end);
    return text;
  }

  /** Sends and waits for the final line of one reply. */
  async ask(text: string): Promise<string> {
    this.send(text);
    return this.expect(/(?:^|\r\n)\d{3} [^\r]*\r\n/);
  }

  /** Waits for the end of the connection and returns the rest. */
  async ended(): Promise<string> {
    await this.#wait(() => (this.#ended ? true : undefined));
    return this.#received;
  }

  async startTls(): Promise<void> {
    const plain = this.#socket;
    plain.removeAllListeners('data');
    const secure = connectTls({ socket: plain, rejectUnauthorized: false });
    this.#socket = secure;
    this.#listen(secure);
    await once(secure, 'secureConnect');
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      this.#wake();
    });
    // A reset by the peer is an end, too; tests that care look at what came before.
    socket.on('error', () => undefined);
    for (const event of ['end', 'close'])
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
  }

  #wait<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`nothing within ${DEADLINE_MS} ms; received: ${this.#received}`)),
        DEADLINE_MS,
      );
      this.#wake = (): void => {
        const found = look();
        if (found === undefined) return;
        clearTimeout(timer);
        this.#wake = () => undefined;
        resolve(found);
      };
      this.#wake();
    });
  }
}

/** Connects to a port on the loopback interface. */
export async function talkTo(
  port: number,
  options: { readonly allowHalfOpen?: boolean } = {},
): Promise<Talk> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, ...options });
  const talk = new Talk(socket);
  await once(socket, 'connect');
  return talk;
}
