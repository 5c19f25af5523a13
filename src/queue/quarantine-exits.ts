/**
 * How a delivery leaves the quarantine by hand. What a removal needs and a damaged record does not say any more
 * (recipient, labels, attempts) is read from the last event of the delivery in the journal.
 */
import { deliveryIdOf, type Event } from '../core/index.ts';
import { sharedMessage } from './accepting.ts';
import type { EventDraft, Transaction, Work } from './committer.ts';
import { endUnattempted } from './ending.ts';
import { deliveryKey, numberKey, parseDeliveryKey } from './keys.ts';
import type { Kv } from './kv.ts';
import { store } from './job-progress.ts';
import { deliveryEvent } from './labels.ts';
import { claimSlot, readDelivery } from './leasing.ts';
import { labelsOf, type Place } from './quarantine.ts';
import type { QueueHead } from './queue-head.ts';
import { type Delivery, unseal } from './records.ts';
import type { QueueState } from './state.ts';

/** Why one was not released or removed. */
export interface QuarantineRefusal extends Place {
  readonly reason: string;
}

/** Events read between two looks at what else is to be done. */
const SLICE = 20_000;
const ABSENT = 'is not in the quarantine';
const TAKEN = 'is just being ended or released';

/** Back into the schedule, due at once, if it can be read now. Resolves to why not. */
export async function releaseQuarantined(
  state: QueueState,
  place: Place,
): Promise<QuarantineRefusal | undefined> {
  const work = new ReleaseWork(state, place);
  await state.committer.submit(work);
  return work.refused === undefined ? undefined : { ...place, reason: work.refused };
}

/** Ends them as removed by an operator. Resolves to those that were not. */
export async function removeQuarantined(
  state: QueueState,
  places: readonly Place[],
): Promise<QuarantineRefusal[]> {
  const here = places.filter((place) => state.quarantine.has(place));
  const unreadable = here.filter((place) => !read(state, place));
  const last = await lastEvents(state, new Set(unreadable.map(idOf)));
  // One a commit: damaged counts of a message are made good from what the store has.
  for (const place of here)
    await state.committer.submit({
      build: (transaction) => remove(state, transaction, { place, last: last.get(idOf(place)) }),
    });
  const others = places.filter((place) => !here.includes(place));
  return others.map((place) => ({ ...place, reason: ABSENT }));
}

class ReleaseWork implements Work {
  readonly #state: QueueState;
  readonly #place: Place;
  #slot: { readonly queue: QueueHead; readonly wakeAt: number } | undefined;
  refused: string | undefined;

  constructor(state: QueueState, place: Place) {
    this.#state = state;
    this.#place = place;
  }

  build(transaction: Transaction): void {
    const { quarantine, schedule, clock, kv, holds } = this.#state;
    const place = this.#place;
    this.refused = quarantine.has(place) ? whyUnreadable(this.#state, place) : ABSENT;
    // The sweep, or another call, of this same commit has it.
    if (this.refused === undefined && !claimSlot(transaction, place.number, place.index))
      this.refused = TAKEN;
    const delivery = this.refused === undefined ? read(this.#state, place) : undefined;
    if (!delivery) return;
    // Marks on single deliveries did not come by there.
    const record = holds.placed(place.number, delivery.record, delivery.message);
    const { wakeAt } = record;
    const queue = schedule.of({ ...delivery, record });
    quarantine.leave(transaction, place);
    transaction.events.push({ ...deliveryEvent(delivery), type: 'released', time: clock.now() });
    if (kv.get('schedule', schedule.slotOf(delivery).key)) return;
    if (record !== delivery.record) store(transaction, delivery, record);
    const slot = { wakeAt, number: place.number, index: place.index };
    schedule.addSlot(queue, slot, transaction.ops);
    this.#slot = { queue, wakeAt };
  }

  applied(): void {
    const { schedule, dispatcher } = this.#state;
    if (!this.#slot) return;
    const { queue, wakeAt } = this.#slot;
    if (schedule.added(queue, { wakeAt, number: this.#place.number })) dispatcher?.wake(queue, wakeAt);
  }

  failed(): void {
    if (this.#slot) this.#state.schedule.unused(this.#slot.queue);
  }
}

function read(state: QueueState, { number, index }: Place): Delivery | undefined {
  try {
    return readDelivery(state, number, index);
  } catch {
    return undefined;
  }
}

function whyUnreadable(state: QueueState, { number, index }: Place): string | undefined {
  try {
    if (!readDelivery(state, number, index)) return 'is not queued';
    const content = state.kv.get('contents', numberKey(number));
    if (!content) return 'has no content';
    unseal(content);
    return undefined;
  } catch (error) {
    return `is still damaged: ${(error as Error).message}`;
  }
}

interface Removal {
  readonly place: Place;
  /** The last counted event of a delivery that cannot be read. */
  readonly last: Event | undefined;
}

function remove(state: QueueState, transaction: Transaction, removal: Removal): void {
  const { number, index } = removal.place;
  if (!state.quarantine.has(removal.place) || !claimSlot(transaction, number, index)) return;
  const delivery = read(state, removal.place);
  if (delivery) endUnattempted(state, transaction, delivery, 'removed');
  else endUnreadable(state, transaction, removal);
}

/** Nothing goes into the history: what it would say is what is lost. */
function endUnreadable(state: QueueState, transaction: Transaction, { place, last }: Removal): void {
  const { kv, quarantine, clock } = state;
  const { number, index } = place;
  const [known] = quarantine.list({ number, index: index - 1 }, 1);
  const { ops, shared, events } = transaction;
  quarantine.leave(transaction, place);
  const key = deliveryKey(number, index);
  for (const table of ['deliveries', 'early_reports'] as const)
    if (kv.get(table, key)) ops.push({ table, key, value: undefined });
  const labels = { ...labelsOf(place, known?.row), ...(last && labelsAfter(last)) };
  events.push({ attempt: 0, ...labels, type: 'undelivered', reason: 'removed', time: clock.now() });
  try {
    const message = sharedMessage(state, transaction, number);
    if (message) {
      shared.set(number, { ...message, remaining: message.remaining - 1 });
      return;
    }
  } catch {
    // The message is what is damaged: it goes with its last delivery.
  }
  if (queuedBeside(kv, place)) return;
  for (const table of ['messages', 'contents'] as const)
    ops.push({ table, key: numberKey(number), value: undefined });
}

/** Events that change the row or the attempts of a queued delivery. */
const COUNTED: ReadonlySet<Event['type']> = new Set(['accepted', 'soft_bounce', 'moved']);

/** The last counted event of each, from the journal; reads all of it. */
async function lastEvents(
  { journal }: QueueState,
  ids: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Event>> {
  const last = new Map<string, Event>();
  if (ids.size === 0) return last;
  for (let after = 0, count = SLICE; count === SLICE;) {
    count = 0;
    for (const { seq, line } of journal.lines(after)) {
      after = seq;
      const event = JSON.parse(line) as Event;
      const { delivery_id: id = '' } = event;
      if (COUNTED.has(event.type) && ids.has(id)) last.set(id, event);
      if (++count === SLICE) break;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return last;
}

const idOf = ({ number, index }: Place): string => deliveryIdOf(number, index);

/** The labels of a queued delivery as its last event leaves them. */
function labelsAfter(event: Event): Omit<EventDraft, 'type' | 'time'> {
  const { account_id, campaign_id, group, virtual_sender, recipient, from_domain, size, attempt } = event;
  return {
    account_id,
    campaign_id,
    group,
    virtual_sender,
    recipient,
    from_domain,
    size,
    attempt: attempt ?? 0,
    sender: event.next_sender ?? event.sender,
    node: event.next_node ?? event.node,
  };
}

/** Whether another delivery of the message is queued. */
function queuedBeside(kv: Kv, { number, index }: Place): boolean {
  const range = { start: deliveryKey(number, 0), end: deliveryKey(number + 1, 0), limit: 2 };
  return [...kv.range('deliveries', range)].some(({ key }) => parseDeliveryKey(key).index !== index);
}
