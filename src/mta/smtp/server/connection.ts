/**
 * The rim: ties one socket to one dialogue. Only here are there sockets and their events. The socket is half-open on
 * purpose: a client that sends all and then FIN still gets its replies, and after our own FIN the rest of what it
 * sends is read and thrown away, so that no reset destroys the last reply on its way.
 */
import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import type { Budget } from './content.ts';
import { Conversation, type Transport } from './conversation.ts';
import type { Settings } from './options.ts';
import { isLoopback, plainAddress } from './peer-address.ts';
import type { Proxied } from './proxy-header.ts';

export interface ConnectionOptions {
  readonly id: number;
  readonly socket: Socket;
  /** What a proxy said of the client; undefined for a direct connection. */
  readonly proxied: Proxied | undefined;
  /** Bytes of the session that came already. */
  readonly received: Buffer | undefined;
  readonly settings: Settings;
  readonly budget: Budget;
  readonly secureContext: SecureContext | undefined;
  /** Called once, when the connection is gone. */
  readonly onGone: (connection: Connection) => void;
}

export class Connection implements Transport {
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localAddress: string;
  readonly onLoopback: boolean;
  readonly #options: ConnectionOptions;
  readonly #conversation: Conversation;
  #socket: Socket;
  #gone = false;

  constructor(options: ConnectionOptions) {
    const { socket, proxied, received } = options;
    const connectedFrom = plainAddress(socket.remoteAddress);
    this.peerAddress = proxied?.peerAddress ?? connectedFrom;
    this.peerPort = proxied?.peerPort ?? socket.remotePort ?? 0;
    this.localAddress = proxied?.localAddress ?? plainAddress(socket.localAddress);
    this.onLoopback = isLoopback(connectedFrom) && isLoopback(this.peerAddress);
    this.#options = options;
    this.#socket = socket;
    this.#conversation = new Conversation(options.id, this, options.settings, options.budget);
    socket.on('error', ignore);
    socket.on('close', () => this.#closed());
    this.#listen(socket);
    void this.#conversation.start();
    if (received !== undefined && received.length > 0) this.#conversation.receive(received);
  }

  write(text: string): boolean {
    return this.#socket.writable ? this.#socket.write(text, 'latin1') : true;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#options.socket.destroy();
  }

  drain(): void {
    this.#conversation.drain();
  }

  expire(nowMs: number): void {
    this.#conversation.expire(nowMs);
  }

  /** Runs the handshake on the socket; the dialogue goes on when it is done. */
  startTls(): void {
    const plain = this.#options.socket;
    plain.removeAllListeners('data').removeAllListeners('end').removeAllListeners('drain');
    // RFC 3207 §4.2: what the stream has read in clear must not reach the TLS side either.
    while (plain.read() !== null);
    const secure = new TLSSocket(plain, { isServer: true, secureContext: this.#options.secureContext });
    this.#socket = secure;
    secure.on('error', () => this.destroy());
    secure.on('close', () => plain.destroy());
    secure.on('secure', () => {
      this.#conversation.secured({
        version: secure.getProtocol() ?? 'unknown',
        cipher: secure.getCipher().name,
      });
    });
    this.#listen(secure);
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#conversation.receive(chunk));
    socket.on('end', () => this.#conversation.ended());
    socket.on('drain', () => this.#conversation.writable());
  }

  #closed(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#conversation.gone();
    this.#options.onGone(this);
  }
}

/** A reset or a broken pipe is no event of its own: `close` follows and says all there is to say. */
function ignore(): void {}
