/**
 * Reads stored mail, oldest first, and stores what follows from it. Some mails are with the workers at a time, bounded in
 * number and bytes; decisions are stored one after the other, because reports about one delivery must see each other.
 * A mail leaves the inbox only in the transaction of its effect, so a crash reads it again and loses nothing.
 */
import type { Classifier } from '../../bounce/index.ts';
import type { MxConfig } from '../../config/index.ts';
import { type Clock, type DeliveryId, domainOf, parseDeliveryId } from '../../core/index.ts';
import type { Tokens } from '../../fbl/index.ts';
import {
  type Conclusion,
  type DeliveryRecord,
  findDelivery,
  type Queue,
  type WaitingMail,
} from '../../queue/index.ts';
import type { Injector } from '../ingress/index.ts';
import { forward } from './forward.ts';
import { Guess } from './guess.ts';
import { judge, type Verdict } from './judge.ts';
import { CROWD_TASKS, type ParsePool } from './parse-pool.ts';

export interface ReaderOptions {
  readonly queue: Queue;
  readonly pool: Pick<ParsePool, 'read' | 'close'>;
  readonly tokens: Tokens;
  readonly injector: Injector;
  readonly clock: Clock;
  readonly hostname: string;
  readonly mx: () => MxConfig;
  /** How long tokens are good, counted from the end of their delivery. */
  readonly historyRetentionMs: () => number;
  readonly classifier: () => Classifier;
  /** The sender of forwarded mail. */
  readonly sender: () => string | undefined;
  /** Told of each mail that is read: what it was (`dsn`, ...), and what it led to (`bounce`, `unverified`, ...). */
  readonly onRead: (kind: string, verdict: string) => void;
  readonly report: (
    level: 'debug' | 'warn' | 'error',
    text: string,
    details: Readonly<Record<string, unknown>>,
  ) => void;
}

const MAX_MAILS = 2 * CROWD_TASKS;
const MAX_BYTES = 64 * 1024 * 1024;
/** The kind of a mail that nothing is known of. */
const UNREADABLE = 'unreadable';
const AGAIN_MS = 1_000;

export class InboundReader {
  readonly #options: ReaderOptions;
  readonly #guess: Guess;
  readonly #reading = new Set<Promise<void>>();
  #cursor = 0;
  #bytes = 0;
  #concluding: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#guess = new Guess(options.queue, () => options.clock.mono());
  }

  /** There may be mail to read; also what an earlier run left. */
  poke(): void {
    while (!this.#stopped && this.#reading.size < MAX_MAILS) {
      const [mail] = this.#options.queue.inbox.next(this.#cursor, 1);
      if (!mail || (this.#reading.size > 0 && this.#bytes + mail.bytes > MAX_BYTES)) return;
      this.#cursor = mail.number;
      this.#bytes += mail.bytes;
      const reading = this.#read(mail).finally(() => {
        this.#reading.delete(reading);
        this.#bytes -= mail.bytes;
        this.poke();
      });
      this.#reading.add(reading);
    }
  }

  /** What is being read is given up: it is still in the inbox. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#options.pool.close();
    await Promise.all(this.#reading);
  }

  /** Never rejects. */
  async #read(mail: WaitingMail): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#once(mail);
        return;
      } catch (error) {
        if (this.#stopped) return;
        this.#options.report('error', 'a report could not be read or stored, trying again', {
          error,
        });
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  async #once(mail: WaitingMail): Promise<void> {
    const { queue, pool, tokens, clock, mx, classifier, historyRetentionMs } = this.#options;
    const raw = this.#raw(mail);
    if (!raw)
      return this.#conclude(mail, UNREADABLE, this.#broken(mail, 'the stored bytes are damaged', undefined));
    const reading = await pool.read({ raw, peer: mail.peer, helo: mail.helo, from: mail.from });
    // Workers that were ended say nothing of the mail.
    if (this.#stopped) return;
    if (!reading.ok) {
      this.#options.report('warn', 'a report broke its worker', { reason: reading.error, bytes: mail.bytes });
      return this.#conclude(mail, UNREADABLE, this.#broken(mail, reading.error, mx().quarantineBytes));
    }
    const verdict = judge({
      mail,
      reading: reading.value,
      tokens,
      classifier: classifier(),
      mx: mx(),
      now: clock.now(),
      recipientOf: (id) => this.#recordOf(id)?.recipient,
      isOver: (id) => {
        const ended = this.#recordOf(id)?.final?.at;
        return ended !== undefined && clock.now() - ended >= historyRetentionMs();
      },
      ispOf: (recipient) => queue.state.holds.ispOf(domainOf(recipient)),
      guess: (clues) => this.#guess.of(clues),
    });
    const { kind } = reading.value;
    if ('conclusion' in verdict) await this.#conclude(mail, kind, verdict);
    else await this.#forward(mail, kind, raw);
  }

  /** What is known of a delivery: of a damaged one nothing, so that its reports are not read again for ever. */
  #recordOf(id: DeliveryId): DeliveryRecord | undefined {
    const { number, index } = parseDeliveryId(id)!;
    try {
      return findDelivery(this.#options.queue.state, number, index)?.record;
    } catch {
      return undefined;
    }
  }

  #raw({ number }: WaitingMail): Buffer | undefined {
    try {
      return this.#options.queue.inbox.raw(number);
    } catch {
      return undefined;
    }
  }

  #broken(
    { peer }: WaitingMail,
    text: string,
    keep: number | undefined,
  ): Verdict & { conclusion: Conclusion } {
    const at = this.#options.clock.now();
    const reply = { text, phase: 'content' } as const;
    return {
      what: 'unreadable',
      conclusion: {
        kind: 'rejected',
        reason: 'unreadable',
        at,
        keep,
        reply,
        report: { kind: 'unknown', peer },
      },
    };
  }

  async #forward(mail: WaitingMail, kind: string, raw: Buffer): Promise<void> {
    const { injector, hostname, mx, sender, clock } = this.#options;
    const forwarded = await forward(mail, raw, { injector, hostname, mx: mx(), sender: sender() });
    if (forwarded.kind === 'later') throw new Error('the queue takes no mail now');
    if (forwarded.kind === 'forwarded')
      return this.#conclude(mail, kind, { what: 'forwarded', conclusion: { kind: 'done' } });
    const conclusion = {
      kind: 'rejected',
      reason: forwarded.reason,
      at: clock.now(),
      keep: mx().quarantineBytes,
      report: { kind: 'mail', peer: mail.peer },
    } as const;
    return this.#conclude(mail, kind, { what: 'not_forwarded', conclusion });
  }

  #conclude(
    mail: WaitingMail,
    kind: string,
    { what, conclusion }: Verdict & { conclusion: Conclusion },
  ): Promise<void> {
    const conclude = async (): Promise<void> => {
      const result = await this.#options.queue.inbox.conclude(mail, conclusion);
      this.#options.onRead(kind, result === 'done' || result === 'counted' ? what : result);
    };
    const concluded = this.#concluding.then(conclude, conclude);
    this.#concluding = concluded;
    return concluded;
  }
}
