/**
 * Mail that came to the boxes for reports: stored before it is acknowledged, and kept until what it leads to is stored
 * in the same transaction. What could not be read goes to the quarantine, which forgets its oldest mail beyond a size.
 */
import { base32, type EventReply, type EventReport, parseBase32 } from '../core/index.ts';
import type { EventDraft, Transaction } from './committer.ts';
import { numberKey, parseNumberKey } from './keys.ts';
import type { Kv, Op } from './kv.ts';
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
  readonly id: string;
  readonly reason: string;
}
type Kept = Omit<QuarantinedMail, 'id'>;

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
/** Mails that one commit removes from the quarantine. */
const SLICE = 500;
export const inboundId = (number: number): string => base32(number, ID_CHARS);

export class Inbox {
  readonly #kv: Kv;
  readonly #state: () => QueueState;
  #waitingBytes = 0;
  #waiting = 0;
  #keptBytes = 0;
  #keptMails = 0;

  constructor(kv: Kv, state: () => QueueState, told: DamageTold) {
    this.#kv = kv;
    this.#state = state;
    for (const { value } of kv.range('inbox', {})) {
      const mail = healthy<InboundMail>(value);
      if (mail) this.#count(mail.bytes, 1);
      else told('the envelope of an inbound mail', 'that mail is not read');
    }
    for (const { value } of kv.range('quarantine', {}))
      this.#keep(healthy<InboundMail>(value)?.bytes ?? 0, 1);
  }

  /** Mails that wait to be read, and their bytes. */
  get waiting(): { readonly mails: number; readonly bytes: number } {
    return { mails: this.#waiting, bytes: this.#waitingBytes };
  }

  /** Mails in the quarantine, and their bytes. */
  get kept(): { readonly mails: number; readonly bytes: number } {
    return { mails: this.#keptMails, bytes: this.#keptBytes };
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
    let grown: Growth | undefined;
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
    if (grown) this.#keep(grown.bytes, grown.mails);
    return result;
  }

  /** Mails in the quarantine, oldest first, after one of them. */
  quarantined(limit: number, after?: string): QuarantinedMail[] {
    const start = after === undefined ? undefined : numberOf(after);
    const range = start === undefined ? { limit } : { start: numberKey(start + 1), limit };
    return [...this.#kv.range('quarantine', range)].map(({ key, value }) => ({
      id: inboundId(parseNumberKey(key)),
      ...(healthy<Kept>(value) ?? UNREADABLE),
    }));
  }

  /** A mail in the quarantine. */
  quarantinedMail(id: string): (QuarantinedMail & { readonly raw: Buffer }) | undefined {
    const number = numberOf(id);
    const kept = number === undefined ? undefined : this.#kv.get('quarantine', numberKey(number));
    const raw = kept && this.raw(number!);
    return raw && { id: inboundId(number!), ...(healthy<Kept>(kept) ?? UNREADABLE), raw };
  }

  /** Removes mails from the quarantine, all of them without ids; returns how many were there. */
  async removeQuarantined(ids?: readonly string[]): Promise<number> {
    let mails = 0;
    for (;;) {
      let growth: Growth = { bytes: 0, mails: 0 };
      await this.#state().committer.submit({
        build: ({ ops }) => {
          growth = { bytes: 0, mails: 0 };
          for (const key of ids ? keysOf(ids) : this.#someKept()) {
            const value = this.#kv.get('quarantine', key);
            if (!value) continue;
            growth = { bytes: growth.bytes - (healthy<Kept>(value)?.bytes ?? 0), mails: growth.mails - 1 };
            forget(ops, key);
          }
        },
      });
      this.#keep(growth.bytes, growth.mails);
      mails -= growth.mails;
      if (ids || growth.mails === 0) return mails;
    }
  }

  #someKept(): Buffer[] {
    return [...this.#kv.range('quarantine', { limit: SLICE })].map(({ key }) => key);
  }

  /** Adds the event and, if wanted, the mail to the quarantine. Returns by how much that grows; undefined: not kept. */
  #reject(
    transaction: Transaction,
    mail: WaitingMail,
    rejected: Conclusion & { kind: 'rejected' },
  ): Growth | undefined {
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
    const { bytes, mails } = this.#makeRoom(transaction, keep - mail.bytes);
    return { bytes: mail.bytes - bytes, mails: 1 - mails };
  }

  /** Removes the oldest mails of the quarantine until what is left has at most so many bytes. */
  #makeRoom({ ops }: Transaction, most: number): Growth {
    let [bytes, mails] = [0, 0];
    if (this.#keptBytes <= most) return { bytes, mails };
    for (const { key, value } of this.#kv.range('quarantine', {})) {
      if (this.#keptBytes - bytes <= most) break;
      bytes += healthy<InboundMail>(value)?.bytes ?? 0;
      mails++;
      forget(ops, key);
    }
    return { bytes, mails };
  }

  #keep(bytes: number, mails: number): void {
    this.#keptBytes += bytes;
    this.#keptMails += mails;
  }

  #count(bytes: number, mails: 1 | -1): void {
    this.#waiting += mails;
    this.#waitingBytes += mails * bytes;
  }
}

interface Growth {
  readonly bytes: number;
  readonly mails: number;
}

function forget(ops: Op[], key: Buffer): void {
  for (const table of ['quarantine', 'inbound_mail'] as const) ops.push({ table, key, value: undefined });
}

function numberOf(id: string): number | undefined {
  return id.length === ID_CHARS ? parseBase32(id) : undefined;
}

const keysOf = (ids: readonly string[]): Buffer[] =>
  [...new Set(ids.map(numberOf))].flatMap((number) => (number === undefined ? [] : [numberKey(number)]));
