/**
 * When each queue (queue-key.ts) has something to do. The slots themselves are in the store, ordered by wake time; in
 * memory is one head per queue. A delivery that waits has exactly one slot; a leased one has none (it stands in its
 * lease).
 */
import { type RowKey, rowName, sameLabels } from './counters.ts';
import type { Kv, Op } from './kv.ts';
import { lostQueueIds } from './lost-queue-ids.ts';
import type { Holds } from './holds.ts';
import { keyAfter, parseSlotKey, type Slot, slotBound, slotKey } from './keys.ts';
import type { QueueHead, QueueKey } from './queue-head.ts';
import { nameOf, parseStoredKey, type Queued, queueKeyOf, storedKey } from './queue-key.ts';
import { RecentLabels } from './recent-labels.ts';
import { type DamageTold, encode, healthy, TOLD_NOBODY } from './records.ts';
import { fitsQueue, type Selector } from './selector.ts';

class Head implements QueueHead {
  readonly id: number;
  readonly node: string;
  readonly domain: string;
  readonly sender: string;
  readonly account: string;
  readonly campaign: string;
  readonly rank: number;
  readonly mark: number;
  readonly flow: string;
  /** When its earliest slot wakes, held or not. */
  slotAt = Infinity;
  /** Slots, counted only where there is a mark. */
  slots = 0;
  /** Whether the store knows the id. */
  stored = false;
  /** Uses in commits that have not ended. */
  uses = 0;

  held: boolean;

  constructor(id: number, key: QueueKey, held: boolean) {
    this.id = id;
    this.held = held;
    this.node = key.node;
    this.domain = key.domain;
    this.sender = key.sender;
    this.account = key.account;
    this.campaign = key.campaign;
    this.rank = key.rank;
    this.mark = key.mark;
    this.flow = `${key.sender}\0${key.account}\0${key.campaign}`;
  }

  get wakeAt(): number {
    return this.held ? Infinity : this.slotAt;
  }
}

interface SlotPlace {
  readonly wakeAt: number;
  readonly number: number;
  readonly index: number;
}

const differByDomain = (a: QueueKey, b: QueueKey): boolean =>
  a.rank === b.rank && a.mark === b.mark && sameLabels(a, b);

const FAR = 2 ** 48 - 1;
/** The value of each slot: its key says all. */
const NOTHING = Buffer.alloc(0);

export class Schedule {
  readonly #kv: Kv;
  readonly #holds: Holds;
  readonly #heads = new Map<string, Head>();
  /** Queues of marked deliveries, by the row that they are part of. */
  readonly #marked = new Map<string, Set<Head>>();
  readonly #recent = new RecentLabels<QueueKey, Head>(differByDomain);
  #nextId = 1;

  constructor(kv: Kv, holds: Holds, told: DamageTold = TOLD_NOBODY) {
    this.#kv = kv;
    this.#holds = holds;
    const lost: QueueKey[] = [];
    for (const { key, value } of kv.range('queues', {})) {
      const record = healthy<{ id: number }>(value);
      if (record) this.#load(record.id, parseStoredKey(key)).stored = true;
      else lost.push(parseStoredKey(key));
    }
    if (lost.length > 0) this.#loadLost(lost, told);
  }

  /** The queues that have a slot and are not held. */
  *heads(): Generator<QueueHead> {
    for (const head of this.#heads.values()) if (head.wakeAt !== Infinity) yield head;
  }

  /** The queues that have a slot, held ones too, and may hold deliveries that fit. */
  *fitting(selector: Selector): Generator<QueueHead> {
    for (const head of this.#heads.values())
      if (head.slotAt !== Infinity && fitsQueue(selector, head, this.#holds.ispOf)) yield head;
  }

  /** Looks again who is held, among all queues or these; gives those that changed. */
  applyHolds(queues: Iterable<QueueHead> = this.#heads.values()): QueueHead[] {
    const changed: Head[] = [];
    for (const queue of queues) {
      const head = this.#known(queue);
      const held = this.#holds.holds(head);
      if (held !== head.held) changed.push(head);
      head.held = held;
    }
    return changed;
  }

  /** How many of a row's deliveries are held; `waiting` are those of it that are not leased. */
  heldOf(row: RowKey, waiting: number): number {
    const held = this.#holds.holds({ ...row, mark: 0 });
    if (this.#marked.size === 0) return held ? waiting : 0;
    let others = 0;
    for (const head of this.#marked.get(rowName(row)) ?? []) if (head.held !== held) others += head.slots;
    return held ? Math.max(0, waiting - others) : Math.min(waiting, others);
  }

  /** The queue a delivery belongs to, made when it is new. */
  of(delivery: Queued): QueueHead {
    const key = queueKeyOf(delivery);
    const recent = this.#recent.of(key);
    let head = recent.get(key.domain);
    if (head) return head;
    head = this.#heads.get(nameOf(key)) ?? this.#add(this.#nextId++, key);
    recent.set(key.domain, head);
    return head;
  }

  /** The queue a delivery belongs to, if it is known. */
  find(delivery: Queued): QueueHead | undefined {
    return this.#heads.get(nameOf(queueKeyOf(delivery)));
  }

  /** Adds a slot, and what the store must learn of the queue; to be followed by `added` or `unused`. */
  addSlot(queue: QueueHead, slot: SlotPlace, ops: Op[]): void {
    const head = this.#known(queue);
    head.uses++;
    if (!head.stored) ops.push({ table: 'queues', key: storedKey(head), value: encode({ id: head.id }) });
    ops.push({ table: 'schedule', key: slotKey({ queueId: head.id, ...slot }), value: NOTHING });
  }

  /** The commit that added a slot is durable: the head may wake earlier. Says whether it does. */
  added(queue: QueueHead, wakeAt: number): boolean {
    const head = this.#known(queue);
    head.stored = true;
    head.uses--;
    if (head.mark > 0) head.slots++;
    if (wakeAt >= head.slotAt) return false;
    head.slotAt = wakeAt;
    return !head.held;
  }

  /** The commit that would have added a slot failed. */
  unused(queue: QueueHead): void {
    this.#known(queue).uses--;
  }

  /** A commit that took slots away is durable: the head is read again. Returns its wake time. */
  taken(queue: QueueHead, count: number): number {
    const head = this.#known(queue);
    if (head.mark > 0) head.slots -= count;
    head.slotAt = this.#earliest(head.id);
    return head.wakeAt;
  }

  /** Its slots after `after`, in order; at most `limit`. */
  *slots({ id }: QueueHead, after?: Buffer, limit?: number): Generator<{ key: Buffer } & Slot> {
    const start = after ? keyAfter(after) : slotBound(id, 0);
    const range = { start, end: slotBound(id, FAR), ...(limit === undefined ? {} : { limit }) };
    for (const { key } of this.#kv.range('schedule', range)) yield { key, ...parseSlotKey(key) };
  }

  /** Slots that are due, earliest first; at most `limit`. */
  due({ id }: QueueHead, now: number, limit: number): { key: Buffer; number: number; index: number }[] {
    const found: { key: Buffer; number: number; index: number }[] = [];
    const range = { start: slotBound(id, 0), end: slotBound(id, now + 1), limit };
    for (const { key } of this.#kv.range('schedule', range)) {
      const { number, index } = parseSlotKey(key);
      found.push({ key, number, index });
    }
    return found;
  }

  /** Forgets queues without slots: adds the removals. */
  prune(ops: Op[]): void {
    this.#recent.clear();
    for (const [name, head] of this.#heads) {
      if (head.slotAt !== Infinity || head.uses > 0) continue;
      this.#marked.get(rowName(head))?.delete(head);
      ops.push({ table: 'queues', key: storedKey(head), value: undefined });
      this.#heads.delete(name);
    }
  }

  get size(): number {
    return this.#heads.size;
  }

  #load(id: number, key: QueueKey): Head {
    const head = this.#add(id, key);
    head.slotAt = this.#earliest(id);
    if (head.mark > 0) for (const _ of this.slots(head)) head.slots++;
    this.#nextId = Math.max(this.#nextId, id + 1);
    return head;
  }

  /** Their records are written anew with their next slot. */
  #loadLost(lost: readonly QueueKey[], told: DamageTold): void {
    const known = new Set([...this.#heads.values()].map(({ id }) => id));
    const ids = lostQueueIds(this.#kv, known);
    for (const id of ids.values()) this.#nextId = Math.max(this.#nextId, id + 1);
    for (const key of lost) {
      const name = nameOf(key);
      told(`the record of queue ${name.replaceAll('\0', ' ')}`, 'its id is taken from its deliveries');
      this.#load(ids.get(name) ?? this.#nextId, key);
    }
  }

  #add(id: number, key: QueueKey): Head {
    const head = new Head(id, key, this.#holds.holds(key));
    this.#heads.set(nameOf(key), head);
    if (key.mark === 0) return head;
    const row = rowName(key);
    const marked = this.#marked.get(row);
    if (marked) marked.add(head);
    else this.#marked.set(row, new Set([head]));
    return head;
  }

  /** Only this class makes heads. */
  #known(queue: QueueHead): Head {
    return queue as Head;
  }

  #earliest(queueId: number): number {
    const range = { start: slotBound(queueId, 0), end: slotBound(queueId, FAR), limit: 1 };
    for (const { key } of this.#kv.range('schedule', range)) return parseSlotKey(key).wakeAt;
    return Infinity;
  }
}
