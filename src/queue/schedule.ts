/**
 * When each queue (queue-key.ts) has something to do. The slots themselves are in the store, ordered by wake time; in
 * memory is one head per queue. A delivery that waits has exactly one slot; a leased one has none (it stands in its
 * lease).
 */
import { type RowKey, rowName, sameLabels } from './counters.ts';
import type { Kv, Op } from './kv.ts';
import { lostQueueIds } from './lost-queue-ids.ts';
import type { Holds, Stop } from './holds.ts';
import { keyAfter, parseSlotKey, type Slot, slotBound, slotKey } from './keys.ts';
import type { QueueHead, QueueKey } from './queue-head.ts';
import { nameOf, parseStoredKey, type Queued, queueKeyOf, storedKey } from './queue-key.ts';
import { RecentLabels } from './recent-labels.ts';
import { type DamageTold, type Delivery, encode, healthy, TOLD_NOBODY } from './records.ts';
import { fitsQueue, type IspOf, type Selector } from './selector.ts';

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
  held = false;
  /** A job is about to take what is older than itself. */
  stop: Stop | undefined;
  /** While there is one: when the earliest slot wakes that it does not keep back. */
  freeAt = Infinity;
  /** Largest number of a message that a slot was added of, since the start. */
  newest = 0;

  constructor(id: number, key: QueueKey) {
    this.id = id;
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
    if (this.held) return Infinity;
    return this.stop ? this.freeAt : this.slotAt;
  }

  keepsBack(number: number): boolean {
    return this.held || (this.stop !== undefined && number < this.stop.watermark);
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
/** Slots of older mail that are passed over to come to what a job does not keep back; behind more it waits for the job. */
const PASSED = 1_000;
/** The value of each slot: its key says all. */
const NOTHING = Buffer.alloc(0);

const isFree = (stop: Stop | undefined, { wakeAt, number }: Pick<SlotPlace, 'wakeAt' | 'number'>): boolean =>
  stop !== undefined && number >= stop.watermark && wakeAt >= stop.at;

export class Schedule {
  readonly #kv: Kv;
  readonly #holds: Holds;
  readonly #heads = new Map<string, Head>();
  readonly #byId = new Map<number, Head>();
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

  /** The queues that have a slot and are not kept back. */
  *heads(): Generator<QueueHead> {
    for (const head of this.#heads.values()) if (head.wakeAt !== Infinity) yield head;
  }

  /** The queues that have a slot, held ones too, and may hold deliveries that fit. */
  *fitting(selector: Selector, ispOf: IspOf): Generator<QueueHead> {
    for (const head of this.#heads.values())
      if (head.slotAt !== Infinity && fitsQueue(selector, head, ispOf)) yield head;
  }

  /** Looks again what is kept back, among all queues or these; gives those that changed. */
  applyHolds(queues: Iterable<QueueHead> = this.#heads.values()): QueueHead[] {
    const changed: Head[] = [];
    for (const queue of queues) {
      const head = this.#known(queue);
      if (this.#keep(head)) changed.push(head);
    }
    return changed;
  }

  /** Says whether that has changed. */
  #keep(head: Head): boolean {
    const [held, stop] = [this.#holds.holds(head), this.#holds.stopOf(head)];
    if (held === head.held && stop === head.stop) return false;
    head.held = held;
    head.stop = stop;
    // Thousands of queues are stopped at once: none is read that has nothing newer.
    head.freeAt = stop?.fresh && head.newest < stop.watermark ? Infinity : this.#earliestFree(head);
    return true;
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

  /** The queue that has, or would have, the slot of a delivery that waits, and the key of the slot. */
  slotOf(delivery: Delivery): { readonly queue: QueueHead; readonly key: Buffer } {
    const { number, index, record } = delivery;
    const keyIn = (queueId: number): Buffer => slotKey({ queueId, wakeAt: record.wakeAt, number, index });
    const before = record.slotIn === undefined ? undefined : this.#byId.get(record.slotIn);
    if (before && this.#kv.get('schedule', keyIn(before.id))) return { queue: before, key: keyIn(before.id) };
    const queue = this.of(delivery);
    return { queue, key: keyIn(queue.id) };
  }

  /** Adds a slot, and what the store must learn of the queue; to be followed by `added` or `unused`. */
  addSlot(queue: QueueHead, slot: SlotPlace, ops: Op[]): void {
    const head = this.#known(queue);
    head.uses++;
    if (!head.stored) ops.push({ table: 'queues', key: storedKey(head), value: encode({ id: head.id }) });
    ops.push({ table: 'schedule', key: slotKey({ queueId: head.id, ...slot }), value: NOTHING });
  }

  /** The commit that added a slot is durable: the head may wake earlier. Says whether it does. */
  added(queue: QueueHead, { wakeAt, number }: Pick<SlotPlace, 'wakeAt' | 'number'>): boolean {
    const head = this.#known(queue);
    head.stored = true;
    head.uses--;
    if (head.mark > 0) head.slots++;
    head.newest = Math.max(head.newest, number);
    const before = head.wakeAt;
    head.slotAt = Math.min(head.slotAt, wakeAt);
    if (isFree(head.stop, { wakeAt, number })) head.freeAt = Math.min(head.freeAt, wakeAt);
    return head.wakeAt < before;
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
    if (head.freeAt !== Infinity) head.freeAt = this.#earliestFree(head);
    return head.wakeAt;
  }

  /** Its slots after `after`, in order; at most `limit`. */
  *slots({ id }: QueueHead, after?: Buffer, limit?: number): Generator<{ key: Buffer } & Slot> {
    const start = after ? keyAfter(after) : slotBound(id, 0);
    const range = { start, end: slotBound(id, FAR), ...(limit === undefined ? {} : { limit }) };
    for (const { key } of this.#kv.range('schedule', range)) yield { key, ...parseSlotKey(key) };
  }

  /** Slots that are due and not kept back, earliest first; at most `limit`. */
  due(queue: QueueHead, now: number, limit: number): ({ key: Buffer } & Slot)[] {
    const head = this.#known(queue);
    if (head.held) return [];
    if (head.stop) return [...this.#free(head, now, limit)];
    const found: ({ key: Buffer } & Slot)[] = [];
    const range = { start: slotBound(head.id, 0), end: slotBound(head.id, now + 1), limit };
    for (const { key } of this.#kv.range('schedule', range)) found.push({ key, ...parseSlotKey(key) });
    return found;
  }

  /** Slots of a queue that a job has stopped, up to `until`, that it does not keep back: they wake after it was asked for. */
  *#free({ id, stop }: Head, until: number, limit: number): Generator<{ key: Buffer } & Slot> {
    const range = { start: slotBound(id, stop!.at), end: slotBound(id, until + 1), limit: limit + PASSED };
    let found = 0;
    for (const { key } of this.#kv.range('schedule', range)) {
      const slot = parseSlotKey(key);
      if (!isFree(stop, slot)) continue;
      yield { key, ...slot };
      if (++found >= limit) return;
    }
  }

  /** Forgets queues without slots: adds the removals. */
  prune(ops: Op[]): void {
    this.#recent.clear();
    for (const [name, head] of this.#heads) {
      if (head.slotAt !== Infinity || head.uses > 0) continue;
      this.#marked.get(rowName(head))?.delete(head);
      ops.push({ table: 'queues', key: storedKey(head), value: undefined });
      this.#heads.delete(name);
      this.#byId.delete(head.id);
    }
  }

  get size(): number {
    return this.#heads.size;
  }

  /** The largest mark (holds.ts) that a queue has in its key. */
  get lastMark(): number {
    let last = 0;
    for (const { mark } of this.#heads.values()) last = Math.max(last, mark);
    return last;
  }

  #load(id: number, key: QueueKey): Head {
    const head = this.#add(id, key);
    head.slotAt = this.#earliest(id);
    head.freeAt = this.#earliestFree(head);
    if (head.mark > 0) for (const _ of this.slots(head)) head.slots++;
    this.#nextId = Math.max(this.#nextId, id + 1);
    return head;
  }

  /** Their records are written anew with their next slot. */
  #loadLost(lost: readonly QueueKey[], told: DamageTold): void {
    const known = new Set([...this.#heads.values()].map(({ id }) => id));
    const { named, others } = lostQueueIds(this.#kv, known);
    for (const id of [...named.values(), ...others]) this.#nextId = Math.max(this.#nextId, id + 1);
    const unnamed = lost.filter((key) => !named.has(nameOf(key)));
    // Where there is one of each they belong together.
    const other = unnamed.length === 1 && others.length === 1 ? others[0] : undefined;
    for (const key of lost) {
      const name = nameOf(key);
      told(`the record of queue ${name.replaceAll('\0', ' ')}`, 'its id is taken from its deliveries');
      this.#load(named.get(name) ?? other ?? this.#nextId, key);
    }
  }

  #add(id: number, key: QueueKey): Head {
    const head = new Head(id, key);
    this.#keep(head);
    this.#heads.set(nameOf(key), head);
    this.#byId.set(id, head);
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

  #earliestFree(head: Head): number {
    if (!head.stop) return Infinity;
    for (const { wakeAt } of this.#free(head, FAR - 1, 1)) return wakeAt;
    return Infinity;
  }

  #earliest(queueId: number): number {
    const range = { start: slotBound(queueId, 0), end: slotBound(queueId, FAR), limit: 1 };
    for (const { key } of this.#kv.range('schedule', range)) return parseSlotKey(key).wakeAt;
    return Infinity;
  }
}
