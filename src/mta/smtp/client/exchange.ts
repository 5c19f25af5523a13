/**
 * One transaction on an open session. With PIPELINING (RFC 2920) everything up to DATA is one write and the content
 * the next; with CHUNKING as well (RFC 3030) the whole transaction is one write. Without, command by command.
 *
 * Replies are matched strictly in order. A recipient is decided once, by the first refusal that concerns it; what
 * is undecided when the content is answered shares that answer, what is undecided when the connection is lost is
 * transient, and `possiblyDelivered` from the moment the last byte of the content was written (RFC 1047).
 */
import type { Phase, Refusal, Reply, Result } from '../../../core/index.ts';
import type { Capabilities } from './capabilities.ts';
import type { Connection } from './connection.ts';
import { endOfData, writeContent } from './content.ts';
import { stuffDots, totalBytes } from './dot-stuffing.ts';
import type { Timeouts } from './options.ts';
import { CLOSING, lost, outOfPlace, refusedBy } from './refusals.ts';
import { toReply, type ParsedReply } from './reply-parser.ts';
import { mailCommand, rcptCommand, type Transaction } from './transaction.ts';

/** Content up to this size travels with its envelope; above, a refused recipient would waste too much of it. */
const PIPELINED_CONTENT_BYTES = 1024 * 1024;
const LONE_DOT = '.\r\n';

export interface Peer {
  readonly connection: Connection;
  readonly capabilities: Capabilities;
  readonly timeouts: Timeouts;
}

const isAccepted = (reply: ParsedReply): boolean => reply.code >= 200 && reply.code < 300;

export class Exchange {
  readonly #connection: Connection;
  readonly #peer: Peer;
  readonly #transaction: Transaction;
  /** Of the recipients that are named, in their order; undefined while nothing speaks against them. */
  readonly #outcomes: (Result<Reply, Refusal> | undefined)[];
  readonly #pipelined: boolean;
  readonly #chunked: boolean;
  #mailAccepted = false;
  #rcptAccepted = 0;
  #contentWritten = false;
  #pending: boolean;
  #phase: Phase = 'mail';
  #lastReply: ParsedReply | undefined;

  /** `pending`: the peer still holds an unfinished transaction, which RSET ends. */
  constructor(peer: Peer, transaction: Transaction, pending: boolean) {
    this.#peer = peer;
    this.#connection = peer.connection;
    this.#transaction = transaction;
    this.#pending = pending;
    this.#outcomes = new Array<undefined>(transaction.recipients.length).fill(undefined);
    this.#pipelined = peer.capabilities.pipelining;
    this.#chunked = peer.capabilities.chunking;
  }

  /** True when the next transaction has to begin with RSET. */
  get pending(): boolean {
    return this.#pending;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get lastReply(): ParsedReply | undefined {
    return this.#lastReply;
  }

  /** Runs to the end or to the loss of the connection; every recipient has an outcome then. */
  async run(): Promise<readonly Result<Reply, Refusal>[]> {
    const spoken = this.#pipelined ? await this.#envelopeAtOnce() : await this.#envelopeByStep();
    if (spoken) await (this.#chunked ? this.#bdat() : this.#data());
    return this.#outcomes as Result<Reply, Refusal>[];
  }

  /** The part before the content, in one write. False when the connection is lost. */
  async #envelopeAtOnce(): Promise<boolean> {
    const { recipients, bytes } = this.#transaction;
    const withContent = this.#chunked && bytes <= PIPELINED_CONTENT_BYTES;
    let commands = this.#pending ? 'RSET\r\n' : '';
    commands += mailCommand(this.#transaction, this.#peer.capabilities);
    if (!(await this.#spend())) return false;
    const named = this.#outcomes.length;
    for (let i = 0; i < named; i++) commands += rcptCommand(recipients[i]!);
    if (!this.#chunked) commands += 'DATA\r\n';
    const owed = named + (this.#pending ? 2 : 1);
    if (withContent) {
      this.#transaction.beforeContent?.();
      this.#contentWritten = true;
      this.#connection.write([Buffer.from(commands + this.#bdatCommand()), ...this.#content()], owed + 1);
    } else {
      this.#connection.write(commands, this.#chunked ? owed : owed + 1);
    }
    if (this.#pending && !(await this.#resetDone())) return false;
    if (!(await this.#mailDone())) return false;
    return this.#recipientsDone();
  }

  async #envelopeByStep(): Promise<boolean> {
    if (this.#pending) {
      this.#connection.write('RSET\r\n', 1);
      if (!(await this.#resetDone())) return false;
    }
    this.#connection.write(mailCommand(this.#transaction, this.#peer.capabilities), 1);
    if (!(await this.#mailDone())) return false;
    if (!this.#mailAccepted) return true;
    if (!(await this.#spend())) return false;
    return this.#recipientsDone();
  }

  /** Lets the caller spend its tokens, which may not be enough for all; the connection may have gone meanwhile. */
  async #spend(): Promise<boolean> {
    const spending = this.#transaction.beforeRcpt?.();
    const named = typeof spending === 'object' ? await spending : spending;
    if (typeof named === 'number' && named < this.#outcomes.length)
      this.#outcomes.length = Math.max(1, named);
    return this.#connection.failure === undefined || this.#loss();
  }

  async #resetDone(): Promise<boolean> {
    const reply = await this.#read('mail', this.#peer.timeouts.mailMs);
    if (reply === undefined) return false;
    return isAccepted(reply) || this.#nonsense(reply);
  }

  async #mailDone(): Promise<boolean> {
    const reply = await this.#read('mail', this.#peer.timeouts.mailMs);
    if (reply === undefined) return false;
    this.#mailAccepted = isAccepted(reply);
    this.#pending = this.#mailAccepted;
    if (this.#mailAccepted) return true;
    if (reply.code < 400) return this.#nonsense(reply);
    this.#decideAll({ ok: false, error: refusedBy(toReply(reply), 'mail') });
    return true;
  }

  async #recipientsDone(): Promise<boolean> {
    for (let i = 0; i < this.#outcomes.length; i++) {
      if (!this.#pipelined) this.#connection.write(rcptCommand(this.#transaction.recipients[i]!), 1);
      const reply = await this.#read('rcpt', this.#peer.timeouts.rcptMs);
      if (reply === undefined) return false;
      if (isAccepted(reply)) this.#rcptAccepted++;
      else if (reply.code < 400) return this.#nonsense(reply);
      else this.#outcomes[i] ??= { ok: false, error: refusedBy(toReply(reply), 'rcpt') };
    }
    return true;
  }

  /** DATA, 354, the content, the verdict. */
  async #data(): Promise<void> {
    const wanted = this.#isWanted();
    if (!this.#pipelined) {
      if (!wanted) return;
      this.#connection.write('DATA\r\n', 1);
    }
    const go = await this.#read('data', this.#peer.timeouts.dataInitMs);
    if (go === undefined) return;
    if (go.code === 354) await (wanted ? this.#sendContent() : this.#endEmpty());
    else if (go.code < 400) this.#nonsense(go);
    else this.#decideAll({ ok: false, error: refusedBy(toReply(go), 'data') });
  }

  async #sendContent(): Promise<void> {
    const { content, dotLine } = this.#transaction;
    const parts = dotLine ? stuffDots(content) : content;
    if (!(await this.#write([...parts, endOfData(content)]))) return;
    const verdict = await this.#verdict();
    // Whatever the answer, the end of data ended the transaction (RFC 5321 §4.1.1.4).
    if (verdict !== undefined) this.#pending = false;
  }

  /**
   * A 354 although nobody is left to deliver to: a lone dot ends it (RFC 2920 §3.1). Where the peer did accept a
   * recipient of a refused MAIL, the dot would deliver an empty message, so the connection ends instead.
   */
  async #endEmpty(): Promise<void> {
    if (this.#rcptAccepted > 0) {
      this.#connection.fail({ cause: 'protocol', text: 'recipients accepted for a refused MAIL' });
      return;
    }
    this.#connection.write(LONE_DOT, 1);
    if ((await this.#read('content', this.#peer.timeouts.dataDoneMs)) !== undefined) this.#pending = false;
  }

  /** BDAT unless it went with the envelope, and the verdict. A refused chunk leaves the transaction open. */
  async #bdat(): Promise<void> {
    if (!this.#contentWritten) {
      if (!this.#isWanted()) return;
      if (!(await this.#write([Buffer.from(this.#bdatCommand()), ...this.#content()]))) return;
    }
    const verdict = await this.#verdict();
    this.#pending = verdict === undefined || !isAccepted(verdict);
  }

  #bdatCommand(): string {
    return `BDAT ${totalBytes(this.#transaction.content)} LAST\r\n`;
  }

  #content(): readonly Buffer[] {
    return this.#transaction.content;
  }

  /** True when all was written. An early answer ends the connection: content cannot be broken off otherwise. */
  async #write(parts: readonly Buffer[]): Promise<boolean> {
    this.#phase = 'content';
    this.#transaction.beforeContent?.();
    this.#contentWritten = await writeContent(this.#connection, parts, this.#peer.timeouts.dataBlockMs);
    if (this.#contentWritten) return true;
    const early = await this.#read('content', 0);
    if (early === undefined) return false;
    if (early.code < 400) return this.#nonsense(early);
    this.#decideAll({ ok: false, error: refusedBy(toReply(early), 'content') });
    this.#connection.fail({ cause: 'disconnect', text: 'the peer answered before the end of the content' });
    return false;
  }

  /** The reply to the whole content decides for every recipient that is left. */
  async #verdict(): Promise<ParsedReply | undefined> {
    const reply = await this.#read('content', this.#peer.timeouts.dataDoneMs);
    if (reply === undefined) return undefined;
    if (isAccepted(reply)) this.#decideAll({ ok: true, value: toReply(reply) });
    else if (reply.code < 400) this.#nonsense(reply);
    else this.#decideAll({ ok: false, error: refusedBy(toReply(reply), 'content') });
    return reply;
  }

  /** The next reply; undefined when there is none or it is a 421, which ends the session in any phase. */
  async #read(phase: Phase, timeoutMs: number): Promise<ParsedReply | undefined> {
    this.#phase = phase;
    const reply = await this.#connection.reply(timeoutMs);
    if (reply === undefined) {
      this.#loss();
      return undefined;
    }
    this.#lastReply = reply;
    if (reply.code !== CLOSING) return reply;
    this.#decideAll({ ok: false, error: refusedBy(toReply(reply), phase) });
    this.#connection.fail({ cause: 'disconnect', text: 'the peer closed the session with 421' });
    return undefined;
  }

  #nonsense(reply: ParsedReply): false {
    this.#connection.fail(outOfPlace(toReply(reply), this.#phase));
    return this.#loss();
  }

  #loss(): false {
    const failure = this.#connection.failure!;
    this.#decideAll({ ok: false, error: lost(failure, this.#phase, this.#contentWritten) });
    return false;
  }

  #isWanted(): boolean {
    return this.#outcomes.includes(undefined);
  }

  #decideAll(outcome: Result<Reply, Refusal>): void {
    for (let i = 0; i < this.#outcomes.length; i++) this.#outcomes[i] ??= outcome;
  }
}
