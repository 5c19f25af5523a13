/**
 * The sweep: ends deliveries whose lifetime is over without waiting for any connection, finds the oldest queued
 * delivery of each domain, and trims history and journal. Each step is a slice of bounded work, so that nothing
 * waits long behind it.
 */
import { domainOf, timeOfMessageNumber } from '../core/index.ts';
import { trimAnswers } from './answers.ts';
import type { Transaction, Work } from './committer.ts';
import type { Entry, Kv, Table } from './kv.ts';
import { endUnattempted } from './ending.ts';
import { deliveryKey, numberKey, parseDeliveryKey, textKey } from './keys.ts';
import { claimSlot, deliveryFrom, type SharedFacts, type StoredDelivery, takeSlot } from './leasing.ts';
import { RecipientsTrim } from './recipient-index.ts';
import { type Delivery, type DeliveryRecord, encode, healthy, type SharedMessage } from './records.ts';
import type { QueueHead } from './queue-head.ts';
import type { QueueState } from './state.ts';
import type { SweptRows } from './swept-rows.ts';
import { type Age, ageOf, TrimWalk } from './trim-walk.ts';

const SLICE = 500;

/** Ends expired deliveries among the slice after `from`; `next` is where the following slice starts. */
export class SweepWork implements Work {
  readonly #state: QueueState;
  readonly #from: Buffer | undefined;
  readonly #seen: SweptRows;
  next: Buffer | undefined;
  /** Slots taken, by queue. */
  readonly #queues = new Map<QueueHead, number>();

  /** `seen` is told of what the slice has. */
  constructor(state: QueueState, from: Buffer | undefined, seen: SweptRows) {
    this.#state = state;
    this.#from = from;
    this.#seen = seen;
  }

  build(transaction: Transaction): void {
    const { kv, watch, leases } = this.#state;
    const now = watch.lifetimeNow();
    let count = 0;
    const known: SharedFacts = new Map();
    for (const { key, value } of kv.range('deliveries', {
      ...(this.#from && { start: this.#from }),
      limit: SLICE,
    })) {
      const { number, index } = parseDeliveryKey(key);
      if (++count === SLICE) this.next = deliveryKey(number, index + 1);
      const delivery = this.#read({ number, index, value }, known);
      if (!delivery) continue;
      const { record, message } = delivery;
      const { accountId: account = '', campaignId: campaign = '' } = message;
      const { sender, node } = record;
      const row = { account, campaign, sender, node, domain: domainOf(record.recipient) };
      this.#seen.saw(row, timeOfMessageNumber(number), record.wakeAt);
      if (record.expiresAt <= now && leases.of(number, index) === undefined)
        this.#expire(transaction, delivery);
    }
  }

  applied(): void {
    for (const [queue, count] of this.#queues) this.#state.schedule.taken(queue, count);
  }

  /** Undefined when the message is missing or damaged: a work that throws would keep the others alive for ever. */
  #read(from: StoredDelivery, known: SharedFacts): Delivery | undefined {
    try {
      return deliveryFrom(this.#state, from, known);
    } catch {
      return undefined;
    }
  }

  /** Also ends what has no slot: its content was damaged, so it was set aside. */
  #expire(transaction: Transaction, delivery: Delivery): void {
    const { number, index } = delivery;
    const { schedule } = this.#state;
    if (schedule.find(delivery) ?? delivery.record.slotIn) {
      const { queue, key } = schedule.slotOf(delivery);
      // Taken: a lease of this same commit has it, and its outcome will end it.
      if (!takeSlot(transaction, { key, number, index })) return;
      if (this.#state.kv.get('schedule', key)) this.#queues.set(queue, (this.#queues.get(queue) ?? 0) + 1);
    } else if (!claimSlot(transaction, number, index)) return;
    endUnattempted(this.#state, transaction, delivery, 'lifetime');
  }
}

/** What is kept: history and journal since those times (wall ms), the journal up to a size. */
export interface TrimBounds {
  readonly historyBefore: number;
  readonly journalBefore: number;
  readonly journalBytes?: number;
  /** Whether events stay until all who follow the journal have seen them. */
  readonly journalWaits?: boolean;
  /** Answers to idempotency keys are kept since then (wall ms). */
  readonly answersBefore?: number;
}

/** How far the trims of the tables have come. */
export class Trims {
  readonly recipients: RecipientsTrim;
  readonly lines: TrimWalk;
  readonly history: TrimWalk;
  readonly messages: TrimWalk;

  constructor(kv: Kv) {
    this.recipients = new RecipientsTrim(kv);
    this.lines = new TrimWalk(kv, 'lines');
    this.history = new TrimWalk(kv, 'history');
    this.messages = new TrimWalk(kv, 'messages');
  }
}

export class TrimWork implements Work {
  readonly #state: QueueState;
  readonly #bounds: TrimBounds;
  readonly #trims: Trims;
  #journalBytes = 0;
  removed = 0;

  constructor(state: QueueState, bounds: TrimBounds, trims: Trims) {
    this.#state = state;
    this.#bounds = bounds;
    this.#trims = trims;
  }

  build(transaction: Transaction): void {
    const { journal, clock } = this.#state;
    const { journalBefore: before, journalBytes: maxBytes = Infinity, answersBefore = 0 } = this.#bounds;
    const seen = this.#bounds.journalWaits ? journal.readers.slowest : undefined;
    const trimmed = journal.trim({ before, now: clock.now(), maxBytes, seen }, transaction, SLICE);
    this.removed = trimmed.groups;
    const { recipients, lines, history, messages } = this.#trims;
    this.removed += trimAnswers(this.#state, transaction, { before: answersBefore, walk: lines });
    this.#journalBytes = trimmed.bytes;
    const bounds = { before: this.#bounds.historyBefore, now: clock.now() };
    this.removed += remove(
      transaction,
      'history',
      history.next((entry) => ageOf(endOf(entry), bounds)),
    );
    this.removed += recipients.oldest(transaction);
    recipients.walk(transaction);
    const judge = (entry: Entry): Age => ageOfMessage(this.#state, entry, bounds);
    this.removed += remove(transaction, 'messages', messages.next(judge));
  }

  applied(): void {
    this.#state.journal.trimmed(this.#journalBytes);
  }

  failed(): void {
    this.#state.journal.untrimmed(this.#journalBytes);
  }
}

function remove({ ops }: Transaction, table: Table, entries: readonly Entry[]): number {
  for (const { key } of entries) ops.push({ table, key, value: undefined });
  return entries.length;
}

/** When a finished delivery ended (wall ms). */
const endOf = ({ key, value }: Entry): number =>
  healthy<DeliveryRecord>(value)?.final?.at ?? timeOfMessageNumber(parseDeliveryKey(key).number);

/** A message goes behind the last of its deliveries. */
function ageOfMessage({ kv }: QueueState, { key, value }: Entry, bounds: Parameters<typeof ageOf>[1]): Age {
  const shared = healthy<SharedMessage>(value);
  if (!shared) return 'stays';
  const age = ageOf(shared.message.createdAt, bounds);
  if (age !== 'due') return age;
  const kept = [...kv.range('history', { start: key, limit: 1 })].some((entry) =>
    entry.key.subarray(0, 8).equals(key),
  );
  return shared.remaining > 0 || shared.open || kept ? 'stays' : 'due';
}

/** Acceptance time (ms) of the oldest queued delivery; undefined when the queue is empty. */
export function oldestQueued(state: QueueState): number | undefined {
  for (const { key } of state.kv.range('deliveries', { limit: 1 }))
    return timeOfMessageNumber(parseDeliveryKey(key).number);
  return undefined;
}

/** Whether the content of a message is still there. */
export const hasContent = (state: QueueState, number: number): boolean =>
  state.kv.get('contents', numberKey(number)) !== undefined;

/** A commit for its own sake: that it succeeds says that the store can write. */
export function touch({ committer, clock }: QueueState): Promise<void> {
  const op = { table: 'meta', key: textKey('touched'), value: encode({ at: clock.now() }) } as const;
  return committer.submit({ build: ({ ops }) => void ops.push(op) });
}
