/**
 * When each queue (node, recipient domain) has something to do. The slots themselves are in the store, ordered by
 * band and wake time; in memory is one head per queue. A delivery that waits has exactly one slot; a leased one has
 * none (it stands in its lease).
 */
import type { Kv, Op } from './kv.ts';
import { type Band, BANDS, parseSlotKey, parseTextKey, slotBound, slotKey, textKey } from './keys.ts';
import { decode, encode } from './records.ts';

export interface QueueHead {
  readonly id: number;
  readonly node: string;
  readonly domain: string;
  /** Wall time (ms) at which the earliest slot wakes; Infinity when there is none. */
  wakeAt: number;
}

interface Head extends QueueHead {
  /** Whether the store knows the id. */
  stored: boolean;
  /** Uses in commits that have not ended. */
  uses: number;
}

const FAR = 2 ** 48 - 1;

export class Schedule {
  readonly #kv: Kv;
  readonly #heads = new Map<string, Head>();
  #nextId = 1;

  constructor(kv: Kv) {
    this.#kv = kv;
    for (const { key, value } of kv.range('queues', {})) {
      const [node, domain] = parseTextKey(key) as [string, string];
      const { id } = decode<{ id: number }>(value);
      this.#heads.set(`${node}\0${domain}`, {
        id,
        node,
        domain,
        wakeAt: this.#earliest(id),
        stored: true,
        uses: 0,
      });
      this.#nextId = Math.max(this.#nextId, id + 1);
    }
  }

  /** The queues that have a slot. */
  *heads(): Generator<QueueHead> {
    for (const head of this.#heads.values()) if (head.wakeAt !== Infinity) yield head;
  }

  /** The queue of a node and domain, made when it is new; adds what the store must learn of it. */
  queue(node: string, domain: string, ops: Op[]): QueueHead {
    const head = this.#head(node, domain);
    head.uses++;
    if (!head.stored)
      ops.push({ table: 'queues', key: textKey(node, domain), value: encode({ id: head.id }) });
    return head;
  }

  /** A commit that used `queue` and added a slot is durable: the head may wake earlier. Says whether it does. */
  added(node: string, domain: string, wakeAt: number): boolean {
    const head = this.#head(node, domain);
    head.stored = true;
    head.uses--;
    if (wakeAt >= head.wakeAt) return false;
    head.wakeAt = wakeAt;
    return true;
  }

  /** A commit that used `queue` failed. */
  unused(node: string, domain: string): void {
    this.#head(node, domain).uses--;
  }

  /** A commit that took slots away is durable: the head is read again. Returns its wake time. */
  refresh(node: string, domain: string): number {
    const head = this.#head(node, domain);
    return (head.wakeAt = this.#earliest(head.id));
  }

  /** Wake time of a queue; Infinity when it has no slot. */
  wakeAt(node: string, domain: string): number {
    return this.#heads.get(`${node}\0${domain}`)?.wakeAt ?? Infinity;
  }

  /** The id of a queue that is known. */
  idOf(node: string, domain: string): number | undefined {
    return this.#heads.get(`${node}\0${domain}`)?.id;
  }

  slotOp(queueId: number, slot: { band: Band; wakeAt: number; number: number; index: number }): Op {
    return { table: 'schedule', key: slotKey({ queueId, ...slot }), value: Buffer.alloc(0) };
  }

  /** Slots that are due, by band, earliest first; at most `limit`. */
  due(queueId: number, now: number, limit: number): { key: Buffer; number: number; index: number }[] {
    const found: { key: Buffer; number: number; index: number }[] = [];
    for (const band of BANDS.keys()) {
      const range = { start: slotBound(queueId, band, 0), end: slotBound(queueId, band, now + 1) };
      for (const { key } of this.#kv.range('schedule', { ...range, limit: limit - found.length })) {
        const { number, index } = parseSlotKey(key);
        found.push({ key, number, index });
      }
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Forgets queues without slots: adds the removals. */
  prune(ops: Op[]): void {
    for (const [key, head] of this.#heads) {
      if (head.wakeAt !== Infinity || head.uses > 0) continue;
      ops.push({ table: 'queues', key: textKey(head.node, head.domain), value: undefined });
      this.#heads.delete(key);
    }
  }

  get size(): number {
    return this.#heads.size;
  }

  #head(node: string, domain: string): Head {
    const key = `${node}\0${domain}`;
    let head = this.#heads.get(key);
    if (!head) {
      head = { id: this.#nextId++, node, domain, wakeAt: Infinity, stored: false, uses: 0 };
      this.#heads.set(key, head);
    }
    return head;
  }

  #earliest(queueId: number): number {
    let earliest = Infinity;
    for (const band of BANDS.keys()) {
      const range = { start: slotBound(queueId, band, 0), end: slotBound(queueId, band, FAR), limit: 1 };
      for (const { key } of this.#kv.range('schedule', range))
        earliest = Math.min(earliest, parseSlotKey(key).wakeAt);
    }
    return earliest;
  }
}
