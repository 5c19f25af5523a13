/**
 * Mail that came to the boxes for reports: stored before it is acknowledged, and kept until what it leads to is stored
 * in the same transaction. What could not be read goes to the quarantine, which forgets its oldest mail beyond a size.
 */
import { base32, type EventReply, type EventReport, parseBase32 } from '../core/index.ts';
import type { EventDraft, Transaction } from './committer.ts';
import { numberKey, parseNumberKey } from './keys.ts';
import type { Kv, Table } from './kv.ts';
import { applyLateReport, type LateResult } from './late-report.ts';
import { type DamageTold, encode, healthy, type LateReport, seal, unseal } from './records.ts';
import type { QueueState } from './state.ts';

/** The envelope of an inbound mail, as it was received. */
export interface InboundMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly peer: string;
  readonly helo: string;
  readonly at: number;
  readonly bytes: number;
}

export interface WaitingMail extends InboundMail {
  readonly number: number;
}

export interface QuarantinedMail extends InboundMail {
  readonly reason: string;
}

/** What came of an inbound mail. */
export type Conclusion =
  | { readonly kind: 'late'; readonly late: LateReport }
  | {
      readonly kind: 'rejected';
      readonly reason: string;
      readonly at: number;
      readonly report: EventReport;
      /** The delivery that it seems to speak of; nothing proves it. */
      readonly deliveryId?: string | undefined;
      readonly reply?: EventReply | undefined;
      /** Keep the mail, up to so many bytes of quarantine in all. */
      readonly keep?: number | undefined;
    }
  /** An event of another kind. */
  | { readonly kind: 'told'; readonly event: EventDraft }
  /** Read, and nothing follows from it; or forwarded. */
  | { readonly kind: 'done' };

const UNREADABLE = { from: '', to: [], peer: '', helo: '', at: 0, bytes: 0, reason: 'the entry is damaged' };

const ID_CHARS = 11;
export const inboundId = (number: number): string => base32(number, ID_CHARS);

export class Inbox {
  readonly #kv: Kv;
  readonly #state: () => QueueState;
  #waitingBytes = 0;
  #waiting = 0;
  #keptBytes = 0;

  constructor(kv: Kv, state: () => QueueState, told: DamageTold) {
    this.#kv = kv;
    this.#state = state;
    for (const { value } of kv.range('inbox', {})) {
      const mail = healthy<InboundMail>(value);
      if (mail) this.#count(mail.bytes, 1);
      else told('the envelope of an inbound mail', 'that mail is not read');
    }
    for (const { value } of kv.range('quarantine', {}))
      this.#keptBytes += healthy<InboundMail>(value)?.bytes ?? 0;
  }

  /** Mails that wait to be read, and their bytes. */
  get waiting(): { readonly mails: number; readonly bytes: number } {
    return { mails: this.#waiting, bytes: this.#waitingBytes };
  }

  get quarantineBytes(): number {
    return this.#keptBytes;
  }

  /** Resolves to its id when the mail is durable. `raw` is not touched by the caller until then. */
  async store(number: number, mail: InboundMail, raw: Buffer): Promise<string> {
    const key = numberKey(number);
    this.#count(mail.bytes, 1);
    const build = ({ ops }: Transaction): void => {
      ops.push({ table: 'inbox', key, value: encode(mail) });
      ops.push({ table: 'inbound_mail', key, value: seal(raw) });
    };
    await this.#state().committer.submit({ build, failed: () => this.#count(mail.bytes, -1) });
    return inboundId(number);
  }

  /** The oldest mails after a number. */
  next(after: number, limit: number): WaitingMail[] {
    const start = numberKey(after + 1);
    const mails: WaitingMail[] = [];
    for (const { key, value } of this.#kv.range('inbox', { start })) {
      if (mails.length >= limit) break;
      const mail = healthy<InboundMail>(value);
      if (mail) mails.push({ number: parseNumberKey(key), ...mail });
    }
    return mails;
  }

  /** The bytes of a mail that waits or is in the quarantine. Throws when they are damaged. */
  raw(number: number): Buffer | undefined {
    const value = this.#kv.get('inbound_mail', numberKey(number));
    return value && unseal(value);
  }

  /** Stores what came of a mail, and that it is read. One at a time, because reports of one delivery see each other. */
  async conclude(mail: WaitingMail, conclusion: Conclusion): Promise<LateResult | 'done'> {
    let result: LateResult | 'done' = 'done';
    let grown: number | undefined;
    await this.#state().committer.submit({
      build: (transaction) => {
        if (conclusion.kind === 'late') result = applyLateReport(this.#state(), transaction, conclusion.late);
        if (conclusion.kind === 'rejected') grown = this.#reject(transaction, mail, conclusion);
        if (conclusion.kind === 'told') transaction.events.push(conclusion.event);
        transaction.ops.push({ table: 'inbox', key: numberKey(mail.number), value: undefined });
        if (grown === undefined)
          transaction.ops.push({ table: 'inbound_mail', key: numberKey(mail.number), value: undefined });
      },
    });
    this.#count(mail.bytes, -1);
    this.#keptBytes += grown ?? 0;
    return result;
  }

  /** Mails in the quarantine, oldest first. */
  quarantined(limit: number): (QuarantinedMail & { readonly id: string })[] {
    return [...this.#kv.range('quarantine', { limit })].map(({ key, value }) => ({
      id: inboundId(parseNumberKey(key)),
      ...(healthy<QuarantinedMail>(value) ?? UNREADABLE),
    }));
  }

  /** The bytes of a mail in the quarantine. */
  quarantinedRaw(id: string): Buffer | undefined {
    const number = id.length === ID_CHARS ? parseBase32(id) : undefined;
    if (number === undefined || !this.#kv.get('quarantine', numberKey(number))) return undefined;
    return this.raw(number);
  }

  /** Adds the event and, if wanted, the mail to the quarantine. Returns by how many bytes that grows; undefined: not kept. */
  #reject(
    transaction: Transaction,
    mail: WaitingMail,
    rejected: Conclusion & { kind: 'rejected' },
  ): number | undefined {
    const { reason, at, deliveryId, reply, keep } = rejected;
    const keeps = keep !== undefined && mail.bytes <= keep;
    const report = keeps ? { ...rejected.report, kept: inboundId(mail.number) } : rejected.report;
    transaction.events.push({
      type: 'report_rejected',
      time: at,
      reason,
      report,
      ...(deliveryId !== undefined && { delivery_id: deliveryId }),
      ...(reply && { reply }),
    });
    if (!keeps) return undefined;
    const { number, ...facts } = mail;
    transaction.ops.push({
      table: 'quarantine',
      key: numberKey(number),
      value: encode({ ...facts, reason }),
    });
    return mail.bytes - this.#makeRoom(transaction, keep - mail.bytes);
  }

  /** Removes the oldest mails of the quarantine until what is left has at most so many bytes. */
  #makeRoom({ ops }: Transaction, bytes: number): number {
    let freed = 0;
    if (this.#keptBytes <= bytes) return freed;
    for (const { key, value } of this.#kv.range('quarantine', {})) {
      if (this.#keptBytes - freed <= bytes) break;
      freed += healthy<InboundMail>(value)?.bytes ?? 0;
      for (const table of ['quarantine', 'inbound_mail'] satisfies Table[])
        ops.push({ table, key, value: undefined });
    }
    return freed;
  }

  #count(bytes: number, mails: 1 | -1): void {
    this.#waiting += mails;
    this.#waitingBytes += mails * bytes;
  }
}
