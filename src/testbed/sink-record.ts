/** What arrived at a sink: counters, and whoever waits for them to reach something. */
import type { Reply } from '../core/index.ts';
import { formatReply } from '../core/index.ts';
import type { SinkMessage } from './sink-options.ts';

export interface SinkStats {
  readonly connections: number;
  readonly sessionsOpen: number;
  readonly sessionsMax: number;
  /** Messages and recipients that were taken. */
  readonly messages: number;
  readonly recipients: number;
  readonly distinctRecipients: number;
  /** Recipients taken more than once. */
  readonly duplicates: number;
  readonly bytes: number;
  /** RCPT commands beyond the rate limit. */
  readonly rateExceeded: number;
  /** Messages by address of the peer and by name in EHLO. */
  readonly byPeerAddress: Readonly<Record<string, number>>;
  readonly byHelo: Readonly<Record<string, number>>;
  /** Replies of rules and limits by their text, `disconnect` and `hang`; taken messages are `accepted`. */
  readonly byReply: Readonly<Record<string, number>>;
  /** From the first connection to the last taken message, and messages by that. */
  readonly seconds: number;
  readonly perSecond: number;
}

interface Waiter {
  readonly condition: (stats: SinkStats) => boolean;
  readonly resolve: (met: boolean) => void;
  readonly timer: NodeJS.Timeout;
}

const increment = (counters: Map<string, number>, key: string): void =>
  void counters.set(key, (counters.get(key) ?? 0) + 1);

export class SinkRecord {
  readonly #mono: () => number;
  readonly #byMessageId: boolean;
  readonly #seen = new Set<string>();
  readonly #peers = new Map<string, number>();
  readonly #helos = new Map<string, number>();
  readonly #replies = new Map<string, number>();
  readonly #waiters = new Set<Waiter>();
  #connections = 0;
  #open = 0;
  #maxOpen = 0;
  #messages = 0;
  #recipients = 0;
  #duplicates = 0;
  #bytes = 0;
  #rateExceeded = 0;
  #firstMs = 0;
  #lastMs = 0;

  constructor(mono: () => number, byMessageId: boolean) {
    this.#mono = mono;
    this.#byMessageId = byMessageId;
  }

  get messages(): number {
    return this.#messages;
  }

  opened(): void {
    if (this.#connections++ === 0) this.#firstMs = this.#lastMs = this.#mono();
    this.#maxOpen = Math.max(this.#maxOpen, ++this.#open);
    this.#changed();
  }

  closed(): void {
    this.#open--;
    this.#changed();
  }

  refused(reply: Reply | 'disconnect' | 'hang'): void {
    increment(this.#replies, typeof reply === 'string' ? reply : formatReply(reply));
    this.#changed();
  }

  tooFast(): void {
    this.#rateExceeded++;
  }

  taken(message: SinkMessage): void {
    const messageId = this.#byMessageId ? messageIdOf(message.content) : '';
    for (const recipient of message.recipients) {
      const key = messageId + recipient;
      if (this.#seen.has(key)) this.#duplicates++;
      else this.#seen.add(key);
    }
    this.#messages++;
    this.#recipients += message.recipients.length;
    this.#bytes += message.content.length;
    this.#lastMs = this.#mono();
    increment(this.#peers, message.peerAddress);
    increment(this.#helos, message.helo);
    increment(this.#replies, 'accepted');
    this.#changed();
  }

  stats(): SinkStats {
    const seconds = (this.#lastMs - this.#firstMs) / 1000;
    return {
      connections: this.#connections,
      sessionsOpen: this.#open,
      sessionsMax: this.#maxOpen,
      messages: this.#messages,
      recipients: this.#recipients,
      distinctRecipients: this.#seen.size,
      duplicates: this.#duplicates,
      bytes: this.#bytes,
      rateExceeded: this.#rateExceeded,
      byPeerAddress: Object.fromEntries(this.#peers),
      byHelo: Object.fromEntries(this.#helos),
      byReply: Object.fromEntries(this.#replies),
      seconds: Math.round(seconds * 1000) / 1000,
      perSecond: seconds > 0 ? Math.round(this.#messages / seconds) : 0,
    };
  }

  /** True when the condition is met within the deadline; asked after every change. */
  until(condition: (stats: SinkStats) => boolean, deadlineMs: number): Promise<boolean> {
    if (condition(this.stats())) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(waiter, false), deadlineMs);
      const waiter: Waiter = { condition, resolve, timer };
      this.#waiters.add(waiter);
    });
  }

  /** Nothing will arrive any more: whoever still waits has waited in vain. */
  release(): void {
    for (const waiter of this.#waiters) this.#settle(waiter, false);
  }

  #changed(): void {
    if (this.#waiters.size === 0) return;
    const stats = this.stats();
    for (const waiter of this.#waiters) if (waiter.condition(stats)) this.#settle(waiter, true);
  }

  #settle(waiter: Waiter, met: boolean): void {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
    waiter.resolve(met);
  }
}

/** The Message-ID field of the header, or the empty string. */
function messageIdOf(content: Buffer): string {
  const end = content.indexOf('\r\n\r\n');
  const header = content.toString('latin1', 0, end < 0 ? content.length : end);
  return /^message-id:\s*(\S+)/im.exec(header)?.[1] ?? '';
}
