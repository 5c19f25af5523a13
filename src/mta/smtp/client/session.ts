/**
 * An open session with one peer: one transaction after the other, then QUIT. The owner learns through `closed` that
 * the peer has ended an idle session. After a failure `usable` is false and stays so.
 */
import type { Refusal } from '../../../core/index.ts';
import type { Capabilities } from './capabilities.ts';
import type { Connection, TlsFacts } from './connection.ts';
import { Exchange } from './exchange.ts';
import type { Timeouts } from './options.ts';
import { lost, type IoFailure } from './refusals.ts';
import { toReply } from './reply-parser.ts';
import { obstacle, type Transaction, type TransactionResult } from './transaction.ts';

/** A peer that does not answer QUIT is not waited for longer than this. */
const QUIT_TIMEOUT_MS = 5000;

export interface SessionFacts {
  readonly host: string;
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Text of the greeting, of which RFC 5321 §4.2 promises that it begins with the peer's name. */
  readonly greeting: string;
  readonly capabilities: Capabilities;
  /** Undefined in clear. */
  readonly tls: TlsFacts | undefined;
  /** Why the session is in clear although the peer offered STARTTLS (mode `may` only). */
  readonly tlsFallback: string | undefined;
}

export class ClientSession {
  readonly facts: SessionFacts;
  readonly #connection: Connection;
  readonly #timeouts: Timeouts;
  #transactions = 0;
  /** The peer holds an unfinished transaction. */
  #pending = false;
  #busy = false;

  constructor(connection: Connection, facts: SessionFacts, timeouts: Timeouts) {
    this.#connection = connection;
    this.facts = facts;
    this.#timeouts = timeouts;
  }

  get usable(): boolean {
    return this.#connection.failure === undefined;
  }

  /** Nothing that was written still waits in this process: its memory is not read any more. */
  get flushed(): boolean {
    return this.#connection.flushed;
  }

  /** Transactions begun in this session. */
  get transactions(): number {
    return this.#transactions;
  }

  /** Resolves, never rejects, when the session has ended: closed by the peer (also while idle), failed, or ended by us. */
  get closed(): Promise<IoFailure> {
    return this.#connection.closed;
  }

  /**
   * Sends one message. Never rejects but for a throwing `beforeRcpt` or two calls at a time, both mistakes of the
   * caller. Refusals are in the result, one per recipient.
   */
  async send(transaction: Transaction): Promise<TransactionResult> {
    if (this.#busy) throw new Error('a session sends one transaction at a time');
    const failure = this.#connection.failure;
    if (failure !== undefined) return this.#refuse(transaction, lost(failure, 'mail'));
    const reason = obstacle(transaction, this.facts.capabilities);
    if (reason !== undefined) return this.#refuse(transaction, reason);
    this.#busy = true;
    try {
      return await this.#exchange(transaction);
    } finally {
      this.#busy = false;
    }
  }

  async #exchange(transaction: Transaction): Promise<TransactionResult> {
    this.#transactions++;
    const startMs = performance.now();
    const peer = {
      connection: this.#connection,
      capabilities: this.facts.capabilities,
      timeouts: this.#timeouts,
    };
    const exchange = new Exchange(peer, transaction, this.#pending);
    const recipients = await exchange.run().finally(() => (this.#pending = exchange.pending));
    const { phase, lastReply } = exchange;
    return {
      recipients,
      phase,
      lastReply: lastReply && toReply(lastReply),
      reusable: this.usable,
      ms: performance.now() - startMs,
    };
  }

  /** Says QUIT when that is possible and ends the connection; takes five seconds at most, never rejects. */
  async quit(): Promise<void> {
    if (this.usable && !this.#busy) {
      this.#connection.write('QUIT\r\n', 1);
      await this.#connection.reply(Math.min(QUIT_TIMEOUT_MS, this.#timeouts.mailMs));
    }
    this.destroy();
  }

  /** Ends the connection at once; a transaction under way fails as if the peer had gone. */
  destroy(): void {
    this.#connection.fail({ cause: 'disconnect', text: 'closed by us' });
  }

  #refuse(transaction: Transaction, refusal: Refusal): TransactionResult {
    return {
      recipients: transaction.recipients.map(() => ({ ok: false, error: refusal })),
      phase: refusal.phase,
      lastReply: refusal.reply,
      reusable: this.usable,
      ms: 0,
    };
  }
}
