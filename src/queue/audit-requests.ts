/**
 * The audit's part on what is kept for the way in: answers to idempotency keys, committed lines of batches with a key,
 * and what splits owe. Where an answer or a line is lost, a repeated request is accepted again.
 */
import { type KeyedAnswer, readLines } from './answers.ts';
import type { Findings } from './audit-report.ts';
import { deliveryKey, numberKey, parseDeliveryKey, parseTextKey } from './keys.ts';
import type { Entry, Kv, Table } from './kv.ts';
import { decode, healthy, type SharedMessage, unseal } from './records.ts';

interface LinesOfMessage {
  readonly number: number;
  /** Index 0 goes first when old lines are forgotten, so where it stands all others stand too. */
  readonly complete: boolean;
  groups: number;
  count: number;
  damaged: boolean;
}

export class RequestAudit {
  readonly #kv: Kv;
  readonly #findings: Findings;

  constructor(kv: Kv, findings: Findings) {
    this.#kv = kv;
    this.#findings = findings;
  }

  run(): void {
    this.#readAnswers();
    this.#readLines();
    this.#readSplits();
  }

  /** All entries of a table, counted, with what `read` makes of the value; undefined for a damaged one. */
  *#entries<T>(table: Table, read: (value: Buffer) => T): Generator<Entry & { readonly record?: T }> {
    for (const entry of this.#kv.range(table, {})) {
      this.#findings.saw(table);
      let record: T | undefined;
      try {
        record = read(entry.value);
      } catch {
        record = undefined;
      }
      yield record === undefined ? entry : { ...entry, record };
    }
  }

  /** A key is what a caller has made up: only the number is named. */
  #readAnswers(): void {
    for (const { key, record } of this.#entries('answers', decode<KeyedAnswer>)) {
      if (!record) {
        this.#findings.say(`answers ${key.toString('hex')}: the value is damaged`);
        continue;
      }
      const mark = this.#kv.get('lines', deliveryKey(record.number, 0));
      if (!mark) this.#findings.say(`the answer of message ${record.number} is never forgotten`);
      else if (!mark.subarray(4).equals(key))
        this.#findings.say(`the answer of message ${record.number} is under another key than its mark`);
    }
  }

  #readLines(): void {
    let of: LinesOfMessage | undefined;
    for (const { key, record } of this.#entries('lines', unseal)) {
      const { number, index } = parseDeliveryKey(key);
      if (of?.number !== number) {
        this.#conclude(of);
        of = { number, complete: index === 0, groups: 0, count: 0, damaged: false };
      }
      if (!record) {
        this.#findings.say(`the lines of message ${number} are damaged at ${index}`);
        of.damaged = true;
      } else if (index > 0) this.#readGroup(of, index, record);
      else if (!this.#kv.get('answers', record))
        this.#findings.say(`message ${number} was accepted under a key that has no answer`);
    }
    this.#conclude(of);
  }

  /** A line that was refused may be mended later, so groups may interleave. */
  #readGroup(of: LinesOfMessage, first: number, payload: Buffer): void {
    const indexes = readLines(payload)?.map(({ index }) => index);
    const inOrder = indexes?.[0] === first && indexes.every((index, i) => index > (indexes[i - 1] ?? 0));
    if (!indexes || !inOrder) {
      this.#findings.say(`the lines of message ${of.number} do not fit their place at ${first}`);
      of.damaged = true;
      return;
    }
    of.groups++;
    of.count += indexes.length;
  }

  /** A batch that was resumed after its message was forgotten counts anew: then more lines are known than accepted. */
  #conclude(of: LinesOfMessage | undefined): void {
    if (!of?.complete || of.damaged || of.groups === 0) return;
    const stored = this.#kv.get('messages', numberKey(of.number));
    const accepted = stored && healthy<SharedMessage>(stored)?.accepted;
    if (accepted !== undefined && accepted > of.count)
      this.#findings.say(`message ${of.number} accepted ${accepted} lines, ${of.count} are known`);
  }

  #readSplits(): void {
    for (const { key, record } of this.#entries('splits', decode<{ credits: unknown }>)) {
      const credits: unknown = record?.credits;
      if (Array.isArray(credits) && credits.every(Number.isFinite)) continue;
      const [sender = ''] = parseTextKey(key);
      this.#findings.say(`what the shares of ${sender} are owed is damaged`);
    }
  }
}
