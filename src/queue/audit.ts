/**
 * Walks the tables of a store and says what does not fit together. It trusts none of the records that the running
 * queue derives its answers from, and reads the store only through the interface, so it runs on any implementation;
 * on LMDB one walk without a pause reads one snapshot, so it may run beside the server.
 *
 * What is proved: every value is healthy; every queued delivery has its message, its content and exactly one place (a
 * slot, or a lease; one in the quarantine is named as such); no slot, content, message, mark or early report is left
 * over; a request that may be repeated is known; each delivery is found by its recipient; the journal has no gap and tells of each delivery what the tables
 * hold; per campaign
 * accepted = delivered + failed + removed + queued.
 *
 * Memory: leases in full, and what audit-journal.ts and audit-report.ts bound.
 */
import { deliveryIdOf } from '../core/index.ts';
import { JournalAudit } from './audit-journal.ts';
import { type AuditReport, type Expected, Findings } from './audit-report.ts';
import { RecipientAudit } from './audit-recipients.ts';
import { RequestAudit } from './audit-requests.ts';
import { auditValues } from './audit-values.ts';
import {
  deliveryKey,
  numberKey,
  parseDeliveryKey,
  parseNumberKey,
  parseSlotKey,
  parseTextKey,
  slotKey,
  textKey,
} from './keys.ts';
import type { JobRecord } from './job.ts';
import type { Entry, Kv, Table } from './kv.ts';
import { decodeLease } from './leases.ts';
import type { QuarantineRecord } from './quarantine.ts';
import { nameOf, parseStoredKey, queueKeyOf } from './queue-key.ts';
import { decode, type DeliveryRecord, type MessageRecord, type SharedMessage, unseal } from './records.ts';
import { fitsQueue } from './selector.ts';
import { SlotLog } from './slot-log.ts';
import { formatProblem } from './store-format.ts';

export interface AuditOptions {
  /** Counts of a running queue that the store must bear out. */
  readonly expected?: Expected | undefined;
  /** Events of the journal that are held against the tables at once: bounds the memory. */
  readonly eventsPerPass?: number;
}

/** The whole audit. */
export function audit(store: Kv, options: AuditOptions = {}): AuditReport {
  const kv = new SlotLog(store);
  const findings = new Findings();
  const journal = new JournalAudit(kv, findings, options);
  for (const groups of kv.damaged) findings.say(`damaged or lost in the log of the slots: ${groups}`);
  for (const { text, delivery_id } of options.expected?.violations ?? []) findings.say(text, delivery_id);
  new StoreAudit(kv, findings, journal).run();
  new RequestAudit(kv, findings).run();
  new RecipientAudit(kv, findings).run();
  auditValues(kv, findings);
  return findings.report(journal);
}

/** The violations, one sentence each; an empty list is the proof. */
export const auditStore = (kv: Kv): string[] => audit(kv).violations.map(({ text }) => text);

class StoreAudit {
  readonly #kv: Kv;
  readonly #findings: Findings;
  /** Names of queues by id, and the other way round. */
  readonly #queues = new Map<number, string>();
  readonly #queueIds = new Map<string, number>();
  readonly #leased = new Set<string>();
  /** Deliveries in the quarantine, those of them that were not met yet. */
  readonly #quarantined = new Map<string, QuarantineRecord>();
  /** Purges that are not done: they end deliveries before they take their slots. */
  readonly #purges: JobRecord[] = [];
  readonly #journal: JournalAudit;
  /** The shared message that was read last: all deliveries of a message stand together. */
  #last: { readonly number: number; readonly message: MessageRecord | undefined } | undefined;

  constructor(kv: Kv, findings: Findings, journal: JournalAudit) {
    this.#kv = kv;
    this.#findings = findings;
    this.#journal = journal;
  }

  run(): void {
    const problem = formatProblem(this.#kv);
    if (problem !== undefined) this.#say(problem);
    this.#readQueues();
    this.#readLeases();
    this.#readQuarantine();
    this.#readJobs();
    this.#journal.run();
    this.#readDeliveries();
    for (const id of this.#quarantined.keys()) this.#say(`${id} is in the quarantine and not queued`, id);
    this.#readSlots();
    this.#readContents();
    this.#readMessages();
    this.#readHistory();
    this.#readOpenMarks();
    this.#readEarlyReports();
    this.#journal.compare();
  }

  #say(text: string, id?: string): void {
    this.#findings.say(text, id);
  }

  /** All entries of a table, counted. */
  *#entries(table: Table): Generator<Entry> {
    for (const entry of this.#kv.range(table, {})) {
      this.#findings.saw(table);
      yield entry;
    }
  }

  /** The record, or undefined (and a violation) when it is damaged. */
  #decode<T>(table: Table, key: Buffer, value: Buffer): T | undefined {
    try {
      return decode<T>(value);
    } catch {
      const id = table === 'deliveries' || table === 'history' ? idOf(key) : undefined;
      this.#say(`${table} ${id ?? key.toString('hex')}: the value is damaged`, id);
      return undefined;
    }
  }

  #readQueues(): void {
    for (const { key, value } of this.#entries('queues')) {
      const record = this.#decode<{ id: number }>('queues', key, value);
      if (!record) continue;
      const name = nameOf(parseStoredKey(key));
      const other = this.#queues.get(record.id);
      if (other)
        this.#say(`queue ${record.id} is ${name.replaceAll('\0', ' ')} and ${other.replaceAll('\0', ' ')}`);
      this.#queues.set(record.id, name);
      this.#queueIds.set(name, record.id);
    }
  }

  #readLeases(): void {
    for (const { key, value } of this.#entries('leases')) {
      try {
        for (const { number, index } of decodeLease(value)) this.#leased.add(deliveryIdOf(number, index));
      } catch {
        this.#say(`lease ${parseNumberKey(key)}: the value is damaged`);
      }
    }
  }

  #readQuarantine(): void {
    for (const { key, value } of this.#entries('damaged')) {
      const record = this.#quiet<QuarantineRecord>(value);
      if (!record) this.#say(`quarantine ${idOf(key)}: the value is damaged`, idOf(key));
      this.#quarantined.set(idOf(key), record ?? { at: 0, reason: 'unknown' });
    }
  }

  #readJobs(): void {
    for (const { value } of this.#kv.range('jobs', {})) {
      const job = this.#quiet<JobRecord>(value);
      if (job?.operation.op === 'purge' && job.state !== 'done') this.#purges.push(job);
    }
  }

  /** Whether a purge may have left a slot of the queue. The ISP of its domain is not known here: any may be meant. */
  #purged(queueId: number, number: number): boolean {
    const name = this.#queues.get(queueId);
    return this.#purges.some(
      ({ selector, watermark }) =>
        name !== undefined &&
        number < watermark &&
        fitsQueue(selector, parseStoredKey(Buffer.from(name)), () => selector.isp),
    );
  }

  /** Names what is set aside, whatever else is wrong with it, and counts it. */
  #inQuarantine(key: Buffer, value: Buffer): boolean {
    const id = idOf(key);
    const quarantined = this.#quarantined.get(id);
    if (!quarantined) return false;
    this.#quarantined.delete(id);
    this.#say(`delivery ${id} is in the quarantine: ${quarantined.reason}`, id);
    const { number } = parseDeliveryKey(key);
    const record = this.#quiet<DeliveryRecord>(value);
    const message = record && (record.message ?? this.#sharedOf(number)?.message);
    if (message) this.#journal.queued(record, message);
    else this.#journal.quarantined(quarantined.row);
    return true;
  }

  #readDeliveries(): void {
    for (const { key, value } of this.#entries('deliveries')) {
      const { number, index } = parseDeliveryKey(key);
      const id = deliveryIdOf(number, index);
      if (this.#inQuarantine(key, value)) continue;
      const record = this.#decode<DeliveryRecord>('deliveries', key, value);
      if (!record) continue;
      const message = this.#messageOf(number, record);
      if (record.final) this.#say(`delivery ${id} is queued and has ended`, id);
      if (this.#kv.get('history', key)) this.#say(`delivery ${id} is queued and in the history`, id);
      if (!this.#kv.get('contents', numberKey(number))) this.#say(`delivery ${id} has no content`, id);
      if (!message) {
        this.#say(`delivery ${id} has no message`, id);
        continue;
      }
      const slots = this.#slotsOf(record, message, { number, index });
      const found = slots.filter((slot) => this.#kv.get('schedule', slot) !== undefined).length;
      if (found > 1) this.#say(`delivery ${id} has two slots`, id);
      if (found === 0 && !this.#leased.has(id))
        this.#say(`delivery ${id} has neither a slot nor a lease`, id);
      if (record.possibleDuplicate) this.#findings.mayArriveTwice(id);
      this.#journal.queued(record, message);
    }
  }

  /** The message of a delivery, from where it has to be: inline, or in a record of its own. */
  #messageOf(number: number, record: DeliveryRecord): MessageRecord | undefined {
    if (this.#last?.number === number && !record.message) return this.#last.message;
    const value = this.#kv.get('messages', numberKey(number));
    if (record.message && value) this.#say(`message ${number} stands inline and on its own`);
    if (record.message || !value) return record.message;
    const message = this.#decode<SharedMessage>('messages', numberKey(number), value)?.message;
    this.#last = { number, message };
    return message;
  }

  /** The one slot that a waiting delivery has: in its queue, or in the one that a job has still to take it from. */
  #slotsOf(
    record: DeliveryRecord,
    message: MessageRecord,
    delivery: { readonly number: number; readonly index: number },
  ): Buffer[] {
    const own = this.#queueIds.get(nameOf(queueKeyOf({ record, message })));
    const ids = new Set([own, record.slotIn].filter((id) => id !== undefined));
    return [...ids].map((queueId) => slotKey({ queueId, wakeAt: record.wakeAt, ...delivery }));
  }

  /** Every slot is the one slot of its delivery; with the check above, each delivery has at most one. */
  #readSlots(): void {
    for (const { key } of this.#entries('schedule')) {
      const { number, index, queueId } = parseSlotKey(key);
      const id = deliveryIdOf(number, index);
      if (!this.#queues.has(queueId))
        this.#say(`a slot of ${id} is in queue ${queueId}, which is unknown`, id);
      const value = this.#kv.get('deliveries', deliveryKey(number, index));
      if (!value) {
        if (!this.#purged(queueId, number)) this.#say(`a slot of ${id}, which is not queued`, id);
        continue;
      }
      const record = this.#quiet<DeliveryRecord>(value);
      const message = record && (record.message ?? this.#sharedOf(number)?.message);
      const fits =
        message && this.#slotsOf(record, message, { number, index }).some((slot) => slot.equals(key));
      if (fits === false) this.#say(`a slot of ${id} that does not fit its record`, id);
    }
  }

  /** A record whose damage is reported elsewhere. */
  #quiet<T>(value: Buffer | undefined): T | undefined {
    try {
      return value && decode<T>(value);
    } catch {
      return undefined;
    }
  }

  #sharedOf(number: number): SharedMessage | undefined {
    return this.#quiet<SharedMessage>(this.#kv.get('messages', numberKey(number)));
  }

  #readContents(): void {
    for (const { key, value } of this.#entries('contents')) {
      const number = parseNumberKey(key);
      try {
        unseal(value);
      } catch {
        this.#say(`the content of message ${number} is damaged`, this.#firstOf(number));
      }
      if (this.#queuedOf(number) === 0 && this.#sharedOf(number)?.open !== true)
        this.#say(`the content of message ${number} is left over`);
    }
  }

  /** The first delivery of a message that is queued. */
  #firstOf(number: number): string | undefined {
    const range = { start: deliveryKey(number, 0), end: deliveryKey(number + 1, 0), limit: 1 };
    for (const { key } of this.#kv.range('deliveries', range)) return idOf(key);
    return undefined;
  }

  #queuedOf(number: number): number {
    const range = { start: deliveryKey(number, 0), end: deliveryKey(number + 1, 0) };
    let count = 0;
    for (const _ of this.#kv.range('deliveries', range)) count++;
    return count;
  }

  #readMessages(): void {
    for (const { key, value } of this.#entries('messages')) {
      const number = parseNumberKey(key);
      const record = this.#decode<SharedMessage>('messages', key, value);
      if (!record) continue;
      const { accepted, remaining, open } = record;
      const queued = this.#queuedOf(number);
      if (remaining !== queued)
        this.#say(`message ${number} counts ${remaining} remaining, ${queued} are queued`);
      if (accepted < remaining) this.#say(`message ${number} has more remaining than accepted`);
      const marked = this.#kv.get('meta', textKey('open', String(number))) !== undefined;
      if (open !== marked)
        this.#say(`message ${number} is ${open ? 'open' : 'closed'}, its mark says otherwise`);
    }
  }

  #readHistory(): void {
    for (const { key, value } of this.#entries('history')) {
      const { number, index } = parseDeliveryKey(key);
      const record = this.#decode<DeliveryRecord>('history', key, value);
      if (!record) continue;
      const id = deliveryIdOf(number, index);
      if (!record.final) this.#say(`delivery ${id} is in the history and has not ended`, id);
      if (!this.#messageOf(number, record))
        this.#say(`delivery ${id} is in the history without its message`, id);
    }
  }

  #readOpenMarks(): void {
    for (const { key } of this.#kv.range('meta', { start: textKey('open', ''), end: textKey('open', ':') })) {
      const number = Number(parseTextKey(key)[1]);
      if (!this.#sharedOf(number)) this.#say(`message ${number} is marked open and has no record`);
    }
  }

  /** They wait for an end. */
  #readEarlyReports(): void {
    for (const { key } of this.#kv.range('early_reports', {}))
      if (!this.#kv.get('deliveries', key))
        this.#say(`a report waits for the end of delivery ${idOf(key)}, which is not queued`, idOf(key));
  }
}

function idOf(key: Buffer): string {
  const { number, index } = parseDeliveryKey(key);
  return deliveryIdOf(number, index);
}
