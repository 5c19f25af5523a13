/**
 * The load generator: sends a number of messages to one or more SMTP listeners over parallel sessions, with our own
 * client, and tells what became of them and how long each took. Each message is sent once: what is refused or lost
 * is counted, not repeated. A session that cannot be opened three times in a row is given up.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Refusal } from '../core/index.ts';
import {
  openSession,
  type ClientSession,
  type SessionOptions,
  type Timeouts,
  type Transaction,
  type TransactionResult,
} from '../mta/smtp/index.ts';
import { messagesOf, type MessagePlan } from './source-messages.ts';

export interface SourceTarget {
  /** IP address. */
  readonly address: string;
  readonly port: number;
}

export interface SourceOptions extends MessagePlan {
  /** Sessions are spread over the targets in turn. */
  readonly targets: readonly SourceTarget[];
  readonly sessions: number;
  readonly count: number;
  readonly messagesPerSession: number;
  readonly pipelining: boolean;
  readonly chunking: boolean;
  /** Messages that may begin per second over all sessions; undefined sends as fast as it goes. */
  readonly ratePerSecond: number | undefined;
  readonly heloName: string;
  readonly localAddress: string | undefined;
  readonly tls: SessionOptions['tls'];
  readonly timeouts: Timeouts;
  readonly signal?: AbortSignal;
}

export interface SourceReport {
  /** Messages that were begun; less than `count` when sessions were given up or the run was stopped. */
  readonly messages: number;
  readonly accepted: number;
  /** Refused for good. */
  readonly rejected: number;
  /** Refused for now, or lost with the session. */
  readonly tempfailed: number;
  readonly connectFailures: number;
  readonly seconds: number;
  /** Accepted messages per second. */
  readonly perSecond: number;
  /** Of accepted messages, from MAIL to the last reply. */
  readonly latency: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  /** The first refusal, for people. */
  readonly firstRefusal: string | undefined;
}

const MAX_CONNECT_FAILURES = 3;

/** Sends the messages and reports; never rejects for what the peer does. */
export async function runSource(options: SourceOptions): Promise<SourceReport> {
  const run = new SourceRun(options);
  await Promise.all(Array.from({ length: options.sessions }, (_, i) => run.work(i)));
  return run.report();
}

class SourceRun {
  readonly #options: SourceOptions;
  readonly #messageOf: (number: number) => Transaction;
  readonly #startMs = performance.now();
  readonly #latenciesMs: Float64Array;
  #begun = 0;
  #accepted = 0;
  #rejected = 0;
  #tempfailed = 0;
  #connectFailures = 0;
  #firstRefusal: string | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#messageOf = messagesOf(options, new Date());
    this.#latenciesMs = new Float64Array(options.count);
  }

  /** One session after the other until all messages are begun. */
  async work(worker: number): Promise<void> {
    let failures = 0;
    while (this.#hasMore() && failures < MAX_CONNECT_FAILURES) {
      const session = await this.#open(worker);
      failures = session === undefined ? failures + 1 : 0;
      if (session !== undefined) await this.#use(session);
    }
  }

  report(): SourceReport {
    const seconds = (performance.now() - this.#startMs) / 1000;
    const sorted = this.#latenciesMs.subarray(0, this.#accepted).sort();
    return {
      messages: this.#begun,
      accepted: this.#accepted,
      rejected: this.#rejected,
      tempfailed: this.#tempfailed,
      connectFailures: this.#connectFailures,
      seconds: rounded(seconds),
      perSecond: rounded(this.#accepted / seconds),
      latency: { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99), maxMs: quantile(sorted, 1) },
      firstRefusal: this.#firstRefusal,
    };
  }

  #hasMore(): boolean {
    return this.#begun < this.#options.count && this.#options.signal?.aborted !== true;
  }

  async #open(worker: number): Promise<ClientSession | undefined> {
    const { targets } = this.#options;
    const target = targets[worker % targets.length]!;
    const opened = await openSession({ ...this.#options, ...target, host: target.address });
    if (opened.ok) return opened.value;
    this.#connectFailures++;
    this.#note(opened.error);
    return undefined;
  }

  async #use(session: ClientSession): Promise<void> {
    for (let sent = 0; sent < this.#options.messagesPerSession; sent++) {
      if (!this.#hasMore() || !session.usable) break;
      const number = this.#begun++;
      if (!(await this.#turn(number))) break;
      this.#count(await session.send(this.#messageOf(number)));
    }
    await session.quit();
  }

  /** Waits until message `number` is due by the rate; false when the run was stopped meanwhile. */
  async #turn(number: number): Promise<boolean> {
    const { ratePerSecond, signal } = this.#options;
    if (ratePerSecond === undefined) return true;
    const waitMs = this.#startMs + (number / ratePerSecond) * 1000 - performance.now();
    if (waitMs <= 0) return true;
    const stopped = delay(waitMs, false, signal && { signal }).catch(() => true);
    if (!(await stopped)) return true;
    this.#begun--;
    return false;
  }

  #count(result: TransactionResult): void {
    const outcome = result.recipients[0]!;
    if (outcome.ok) this.#latenciesMs[this.#accepted++] = result.ms;
    else {
      if (outcome.error.permanent) this.#rejected++;
      else this.#tempfailed++;
      this.#note(outcome.error);
    }
  }

  #note(refusal: Refusal): void {
    this.#firstRefusal ??= refusal.text + (refusal.reply ? `: ${refusal.reply.text}` : '');
  }
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

function quantile(sorted: Float64Array, share: number): number {
  const index = Math.max(0, Math.ceil(sorted.length * share) - 1);
  return rounded(sorted[index] ?? 0);
}
