/**
 * A sink's answers: delays, rules, unknown users and the rate limit, as a handler of the SMTP server. A hook that has
 * nothing to do is left out, so a well-behaved sink costs no more than the server itself.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock, type Reply } from '../core/index.ts';
import type { Answer, ReceivedMessage, ServerHandler, SmtpSession } from '../mta/smtp/server/index.ts';
import type { SinkMessage, SinkOptions } from './sink-options.ts';
import { RateWatch } from './sink-rate.ts';
import type { SinkRecord } from './sink-record.ts';
import { matcherOf, SinkRules, type SinkAction, type SinkPhase } from './sink-rules.ts';

const UNKNOWN_USER: Reply = { code: 550, enhanced: '5.1.1', text: 'No such user here' };
const TOO_FAST: Readonly<Record<421 | 450, Reply>> = {
  421: { code: 421, enhanced: '4.7.0', text: 'Too many messages, slow down' },
  450: { code: 450, enhanced: '4.7.0', text: 'Too many messages, slow down' },
};

/** A reply that is late keeps nobody's process alive; the listener does. */
const UNREF = { ref: false };

/** Takes a message for good; a promise when that takes time. */
export type Store = (message: SinkMessage) => Promise<void> | undefined;

export class SinkBehaviour {
  readonly #options: SinkOptions;
  readonly #record: SinkRecord;
  readonly #store: Store;
  readonly #rules: SinkRules;
  readonly #unknown: readonly ((address: string) => boolean)[];
  readonly #rate: RateWatch | undefined;
  readonly #mono: () => number;
  /** Recipients of open transactions by session, kept only while a rule asks for them. */
  readonly #recipients = new Map<number, string[]>();
  #taken = 0;

  constructor(options: SinkOptions, record: SinkRecord, store: Store) {
    const clock = options.clock ?? systemClock;
    this.#options = options;
    this.#record = record;
    this.#store = store;
    this.#rules = new SinkRules(options.rules ?? [], options.random ?? Math.random);
    this.#unknown = (options.unknownUsers ?? []).map(matcherOf);
    this.#rate = options.rateLimit && new RateWatch(options.rateLimit);
    this.#mono = () => clock.mono();
  }

  handler(): ServerHandler {
    const slow = (this.#options.replyLatencyMs ?? 0) > 0;
    const rules = this.#rules;
    const remembers = rules.has('data') || rules.has('mid-content');
    const knowsUsers = this.#unknown.length > 0 || this.#rate !== undefined;
    return {
      onConnect: (session) => this.#connect(session),
      onMessage: (session, message) => this.#message(session, message),
      onClose: (session) => this.#close(session),
      ...((slow || rules.has('ehlo')) && {
        onHelo: (session) => this.#reply(session, 'ehlo', [session.peerAddress]),
      }),
      ...((slow || rules.has('mail') || remembers) && {
        onMail: (session, mail) => this.#mail(session, mail.address),
      }),
      ...((slow || rules.has('rcpt') || remembers || knowsUsers) && {
        onRcpt: (session, rcpt) => this.#rcpt(session, rcpt.address),
      }),
      ...((slow || rules.has('data')) && {
        onData: (session) => this.#reply(session, 'data', this.#recipientsOf(session)),
      }),
      ...(rules.has('mid-content') && {
        onContentBytes: (session, bytes) => this.#contentBytes(session, bytes),
      }),
    };
  }

  #connect(session: SmtpSession): Answer {
    this.#record.opened();
    return this.#reply(session, 'greeting', [session.peerAddress]);
  }

  #close(session: SmtpSession): void {
    this.#recipients.delete(session.id);
    this.#record.closed();
  }

  #mail(session: SmtpSession, from: string): Answer {
    this.#recipients.set(session.id, []);
    return this.#reply(session, 'mail', [from]);
  }

  #rcpt(session: SmtpSession, address: string): Answer {
    const refusal = this.#tooFast(session) ?? this.#unknownUser(address);
    if (refusal !== undefined) return this.#later(refusal, this.#options.replyLatencyMs);
    this.#recipients.get(session.id)?.push(address);
    return this.#reply(session, 'rcpt', [address]);
  }

  #tooFast(session: SmtpSession): Reply | undefined {
    if (this.#rate === undefined || this.#rate.admit(session.peerAddress, this.#mono())) return undefined;
    this.#record.tooFast();
    const reply = TOO_FAST[this.#options.rateLimit?.code ?? 421];
    this.#record.refused(reply);
    return reply;
  }

  #unknownUser(address: string): Reply | undefined {
    if (!this.#unknown.some((matches) => matches(address))) return undefined;
    this.#record.refused(UNKNOWN_USER);
    return UNKNOWN_USER;
  }

  #contentBytes(session: SmtpSession, bytes: number): void {
    const recipients = this.#recipientsOf(session);
    if (bytes === 0 || recipients.length === 0) return;
    // Once per transaction, not once per piece.
    this.#recipients.set(session.id, []);
    const action = this.#rules.find('mid-content', recipients);
    if (action !== undefined) this.#act(session, action, 'stop');
  }

  #message(session: SmtpSession, message: ReceivedMessage): Answer {
    const action = this.#rules.find('content', message.recipients);
    if (action !== undefined)
      return this.#later(this.#act(session, action, 'discard'), this.#options.messageLatencyMs);
    return this.#take(session, message);
  }

  #take(session: SmtpSession, message: ReceivedMessage): Answer {
    const taken: SinkMessage = {
      number: ++this.#taken,
      peerAddress: session.peerAddress,
      helo: session.helo,
      tls: session.tls !== undefined,
      from: message.from,
      recipients: message.recipients,
      content: message.content,
    };
    const stored = this.#store(taken);
    const { acceptReply, messageLatencyMs } = this.#options;
    if (stored === undefined && (messageLatencyMs ?? 0) === 0) {
      this.#record.taken(taken);
      return acceptReply;
    }
    return this.#finish(taken, stored);
  }

  async #finish(message: SinkMessage, stored: Promise<void> | undefined): Promise<Reply | undefined> {
    await stored;
    if (this.#options.messageLatencyMs) await delay(this.#options.messageLatencyMs, undefined, UNREF);
    this.#record.taken(message);
    return this.#options.acceptReply;
  }

  #recipientsOf(session: SmtpSession): readonly string[] {
    return this.#recipients.get(session.id) ?? [];
  }

  #reply(session: SmtpSession, phase: SinkPhase, subjects: readonly string[]): Answer {
    const action = this.#rules.find(phase, subjects);
    const reply = action === undefined ? undefined : this.#act(session, action, 'discard');
    return this.#later(reply, this.#options.replyLatencyMs);
  }

  /** Carries an action out. Returns the reply, if that is what it is. */
  #act(session: SmtpSession, action: SinkAction, reading: 'discard' | 'stop'): Reply | undefined {
    this.#record.refused(action);
    if (typeof action !== 'string') return action;
    // The peer shall see the replies to what it sent before.
    session.flush();
    if (action === 'hang') session.stall(reading);
    else session.destroy();
    return undefined;
  }

  #later(reply: Reply | undefined, latencyMs: number | undefined): Answer {
    return latencyMs ? delay(latencyMs, reply, UNREF) : reply;
  }
}
