/**
 * What became of a leased delivery, recorded together with its event. An outcome counts only while its lease holds
 * (the fence): a second one, or one that comes after the lease was lost, changes nothing and is reported.
 */
import type { UndeliveredReason } from '../core/index.ts';
import type { EventDraft, Transaction, Work } from './committer.ts';
import { endDelivery, endUnattempted } from './ending.ts';
import { addProgress, conclude, type Progress, requeue } from './job-progress.ts';
import { deliveryKey } from './keys.ts';
import { deliveryEvent } from './labels.ts';
import { type AttemptRecord, type DeliveryRecord, encode, type LeasedDelivery } from './records.ts';
import type { QueueHead } from './queue-head.ts';
import type { QueueState } from './state.ts';
import type { StopEntry } from './stop-list.ts';

/** What an attempt adds to its event: where it went, what was said. */
export type AttemptFacts = Pick<EventDraft, 'time'> &
  Partial<
    Pick<EventDraft, 'source_ip' | 'isp' | 'mx' | 'mx_ip' | 'reply' | 'bounce' | 'tls' | 'queue_ms' | 'size'>
  >;

export type Outcome =
  | { readonly kind: 'delivered'; readonly facts: AttemptFacts }
  | {
      readonly kind: 'deferred';
      readonly facts: AttemptFacts;
      readonly nextAttemptAt: number;
      /** Node of the next attempt, when it is another one. */
      readonly node?: string;
    }
  | {
      readonly kind: 'failed';
      readonly type: 'hard_bounce' | 'undelivered';
      readonly reason?: UndeliveredReason;
      readonly facts: AttemptFacts;
      /** False when no attempt was made (lifetime over, dropped). */
      readonly attempted: boolean;
      /** Enters the stop list with this end: the rule that decided wants it. */
      readonly stop?: StopEntry | undefined;
    }
  /** Given back untouched: not an attempt. `wakeAt` is when it may be leased again, `node` by which other node. */
  | { readonly kind: 'released'; readonly wakeAt: number; readonly node?: string };

export class OutcomeWork implements Work {
  readonly #state: QueueState;
  readonly #delivery: LeasedDelivery;
  readonly #outcome: Outcome;
  #fenced = false;
  /** Jobs whose change this outcome carries. */
  readonly #progresses: Progress[] = [];
  #slot: { queue: QueueHead; wakeAt: number } | undefined;

  constructor(state: QueueState, delivery: LeasedDelivery, outcome: Outcome) {
    this.#state = state;
    this.#delivery = delivery;
    this.#outcome = outcome;
  }

  build(transaction: Transaction): void {
    const { leaseId, number, index, id } = this.#delivery;
    this.#fenced = this.#state.leases.of(number, index) !== leaseId || transaction.concluded.has(id);
    if (this.#fenced) return;
    const outcome = this.#outcome;
    if (outcome.kind === 'released') this.#release(transaction, outcome);
    else if (outcome.kind === 'deferred') this.#defer(transaction, outcome);
    else this.#end(transaction, outcome);
    transaction.concluded.add(id);
  }

  applied(): void {
    const { leases, counters, schedule, dispatcher, report, sending } = this.#state;
    const { leaseId, number, index, id } = this.#delivery;
    if (this.#fenced) {
      report('error', 'an outcome came after its lease had ended and was dropped', {
        delivery_id: id,
        lease: leaseId,
      });
      return;
    }
    leases.end(leaseId, number, index);
    sending?.ended(id);
    for (const progress of this.#progresses) conclude(progress, 1, true);
    counters.lease(this.#delivery, -1);
    if (!this.#slot) return;
    const { queue, wakeAt } = this.#slot;
    if (schedule.added(queue, { wakeAt, number })) dispatcher?.wake(queue, wakeAt);
  }

  failed(): void {
    for (const progress of this.#progresses) conclude(progress, 1, false);
    if (this.#slot) this.#state.schedule.unused(this.#slot.queue);
  }

  #release(transaction: Transaction, { wakeAt, node }: Outcome & { kind: 'released' }): void {
    const { record } = this.#delivery;
    const asked = this.#asked(transaction);
    if (!asked) {
      endUnattempted(this.#state, transaction, this.#delivery, 'removed');
      return;
    }
    const next = this.#placed({
      ...asked,
      wakeAt: wakeAt === record.wakeAt ? asked.wakeAt : wakeAt,
      node: asked.node === record.node ? (node ?? asked.node) : asked.node,
    });
    const same = next.wakeAt === record.wakeAt && next.mark === record.mark && next.band === record.band;
    if (next.node !== record.node || next.sender !== record.sender)
      requeue(transaction, this.#delivery, next, this.#state.clock.now());
    else if (!same) this.#store(transaction, next);
    this.#queue(transaction, next);
  }

  #defer(transaction: Transaction, outcome: Outcome & { kind: 'deferred' }): void {
    const { record } = this.#delivery;
    const { facts } = outcome;
    const asked = this.#asked(transaction);
    if (!asked) {
      const attempted = facts.reply !== undefined;
      this.#end(transaction, { kind: 'failed', type: 'undelivered', reason: 'removed', facts, attempted });
      return;
    }
    const node = asked.node === record.node ? (outcome.node ?? asked.node) : asked.node;
    const wakeAt = Math.max(outcome.nextAttemptAt, 0);
    const attempts = this.#attempts(facts, 'soft_bounce');
    const stored = this.#placed({ ...asked, node, wakeAt, attempts });
    this.#store(transaction, stored);
    this.#queue(transaction, stored);
    const next = {
      next_attempt: new Date(wakeAt).toISOString(),
      ...(node === record.node ? {} : { next_node: node }),
      ...(asked.sender === record.sender ? {} : { next_sender: asked.sender }),
    };
    transaction.events.push({ ...this.#event(facts, attempts.length), ...next, type: 'soft_bounce' });
  }

  /** The record as operators want it by now; undefined when they have removed the delivery. */
  #asked(transaction: Transaction): DeliveryRecord | undefined {
    const { jobs } = this.#state;
    const { record } = this.#delivery;
    if (jobs.none) return record;
    const { asked, by } = jobs.returned(this.#delivery);
    for (const progress of by) {
      addProgress(progress, 1, transaction);
      this.#progresses.push(progress);
    }
    return asked;
  }

  #placed(record: DeliveryRecord): DeliveryRecord {
    return this.#state.holds.placed(this.#delivery.number, record, this.#delivery.message);
  }

  #end(transaction: Transaction, outcome: Outcome & { kind: 'delivered' | 'failed' }): void {
    const { facts } = outcome;
    const type = outcome.kind === 'delivered' ? 'delivered' : outcome.type;
    const reason = outcome.kind === 'failed' ? outcome.reason : undefined;
    const attempted = outcome.kind === 'delivered' || outcome.attempted;
    const attempts = attempted ? this.#attempts(facts, type) : this.#delivery.record.attempts;
    // Commits follow each other, so the number that the event below will get is known.
    const seq = this.#state.journal.last + transaction.events.length + transaction.inRuns + 1;
    const final = { type, reason, at: facts.time, seq } as const;
    if (outcome.kind === 'failed' && outcome.stop) this.#state.stopList.put(transaction, outcome.stop);
    endDelivery(this.#state, transaction, this.#delivery, {
      record: { ...this.#delivery.record, attempts, final },
      event: { ...this.#event(facts, attempts.length), ...(reason ? { reason } : {}), type },
    });
  }

  #event(facts: AttemptFacts, attempt: number): Omit<EventDraft, 'type'> {
    const duplicate = this.#delivery.record.possibleDuplicate ? { possible_duplicate: true } : {};
    return { ...deliveryEvent(this.#delivery), ...facts, attempt, ...duplicate };
  }

  #attempts(facts: AttemptFacts, outcome: AttemptRecord['outcome']): readonly AttemptRecord[] {
    const { record } = this.#delivery;
    return [
      ...record.attempts,
      { at: facts.time, node: record.node, mx: facts.mx, outcome, reply: facts.reply },
    ];
  }

  /** The record as the store has it, with the message inline where it was. */
  #stored(): DeliveryRecord {
    const { record, message, shared } = this.#delivery;
    return shared ? record : { ...record, message };
  }

  #store({ ops }: Transaction, record: DeliveryRecord): void {
    const { number, index } = this.#delivery;
    ops.push({
      table: 'deliveries',
      key: deliveryKey(number, index),
      value: encode({ ...this.#stored(), ...record, slotIn: undefined }),
    });
  }

  #queue({ ops }: Transaction, record: DeliveryRecord): void {
    const { number, index, message } = this.#delivery;
    const { wakeAt } = record;
    const queue = this.#state.schedule.of({ record, message });
    this.#slot = { queue, wakeAt };
    this.#state.schedule.addSlot(queue, { wakeAt, number, index }, ops);
  }
}
