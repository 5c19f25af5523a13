/**
 * When each queue (queue-key.ts) has something to do. The slots themselves are in the store, ordered by wake time; in
 * memory is one head per queue. A delivery that waits has exactly one slot; a leased one has none (it stands in its
 * lease).
 */
import type { Kv, Op } from './kv.ts';
import { parseSlotKey, slotBound, slotKey } from './keys.ts';
import type { QueueHead, QueueKey } from './queue-head.ts';
import { nameOf, parseStoredKey, type Queued, queueKeyOf, storedKey } from './queue-key.ts';
import { decode, encode } from './records.ts';

class Head implements QueueHead {
  readonly id: number;
  readonly node: string;
  readonly domain: string;
  readonly sender: string;
  readonly account: string;
  readonly campaign: string;
  readonly rank: number;
  readonly flow: string;
  wakeAt = Infinity;
  /** Whether the store knows the id. */
  stored = false;
  /** Uses in commits that have not ended. */
  uses = 0;

  constructor(id: number, key: QueueKey) {
    this.id = id;
    this.node = key.node;
    this.domain = key.domain;
    this.sender = key.sender;
    this.account = key.account;
    this.campaign = key.campaign;
    this.rank = key.rank;
    this.flow = `${key.sender}\0${key.account}\0${key.campaign}`;
  }
}

interface SlotPlace {
  readonly wakeAt: number;
  readonly number: number;
  readonly index: number;
}

const FAR = 2 ** 48 - 1;

export class Schedule {
  readonly #kv: Kv;
  readonly #heads = new Map<string, Head>();
  #nextId = 1;

  constructor(kv: Kv) {
    this.#kv = kv;
    for (const { key, value } of kv.range('queues', {})) {
      const { id } = decode<{ id: number }>(value);
      const queue = parseStoredKey(key);
      const head = new Head(id, queue);
      head.stored = true;
      head.wakeAt = this.#earliest(id);
      this.#heads.set(nameOf(queue), head);
      this.#nextId = Math.max(this.#nextId, id + 1);
    }
  }

  /** The queues that have a slot. */
  *heads(): Generator<QueueHead> {
    for (const head of this.#heads.values()) if (head.wakeAt !== Infinity) yield head;
  }

  /** The queue a delivery belongs to, made when it is new. */
  of(delivery: Queued): QueueHead {
    const key = queueKeyOf(delivery);
    const name = nameOf(key);
    let head = this.#heads.get(name);
    if (!head) this.#heads.set(name, (head = new Head(this.#nextId++, key)));
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
    ops.push({ table: 'schedule', key: slotKey({ queueId: head.id, ...slot }), value: Buffer.alloc(0) });
  }

  /** The commit that added a slot is durable: the head may wake earlier. Says whether it does. */
  added(queue: QueueHead, wakeAt: number): boolean {
    const head = this.#known(queue);
    head.stored = true;
    head.uses--;
    if (wakeAt >= head.wakeAt) return false;
    head.wakeAt = wakeAt;
    return true;
  }

  /** The commit that would have added a slot failed. */
  unused(queue: QueueHead): void {
    this.#known(queue).uses--;
  }

  /** A commit that took slots away is durable: the head is read again. Returns its wake time. */
  refresh(queue: QueueHead): number {
    const head = this.#known(queue);
    return (head.wakeAt = this.#earliest(head.id));
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
    for (const [name, head] of this.#heads) {
      if (head.wakeAt !== Infinity || head.uses > 0) continue;
      if (head.stored) ops.push({ table: 'queues', key: storedKey(head), value: undefined });
      this.#heads.delete(name);
    }
  }

  get size(): number {
    return this.#heads.size;
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
