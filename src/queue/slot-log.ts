/**
 * The table `schedule` as a log in front of a table. A slot is a random key: written where it belongs, each slot of a
 * commit is on another page, and a page is what the store writes. So what a commit does to slots becomes one value at
 * the end of `slot_log`, what the log says is held in memory (pending-slots.ts), and reads see both. Queue by queue, tens
 * of slots at a time, what is pending is folded into the table, some of it with each commit; a slot that is taken before
 * never gets there.
 *
 * A commit that folds a queue says so in the log: what that said of the queue before is void. So the log, read from its
 * beginning, gives what was in memory. Its groups go when a round through the queues has made them void; their numbers
 * have no gap, so one that is lost is noticed (slot-groups.ts).
 *
 * Where the disk is nearly full nothing is folded (`Kv.spare`): the log takes less room, and folding can wait.
 *
 * While a commit is under way a read may see what it does to other tables, and not yet what it does to slots.
 */
import { parseSlotKey, SLOT_BYTES } from './keys.ts';
import { checkOps, type Entry, type Kv, type Op, type RangeOptions, type Table } from './kv.ts';
import { firstFrom, PendingQueue, type PendingSlot } from './pending-slots.ts';
import { encodeGroup, groupOp, readLog, renewLog } from './slot-groups.ts';

/** When queues are folded, and how much of it is done with one commit. */
export interface SlotBounds {
  /** Pending slots, slots in the log and groups of it above which the next queues are folded. */
  readonly pending: number;
  readonly logged: number;
  readonly groups: number;
  /** A queue with so many pending slots is folded at once: they fill pages of their own. */
  readonly many: number;
  /** Slots folded with one commit, beyond twice what it adds; groups of the log removed with one. */
  readonly slice: number;
}

const BOUNDS: SlotBounds = { pending: 65_536, logged: 262_144, groups: 32_768, many: 64, slice: 512 };

/** Commits that fold nothing after one that failed: what must be written may be stored where more is not. */
const REST = 64;
/** What folding a slot may write: the page that it belongs on, and its part of those above. */
const FOLD_BYTES = 2 * 4096;

const ID_BYTES = 4;

/** The value of each slot: its key says all. */
const nothing = (): Buffer => Buffer.alloc(0);

/** A round through the queues that had pending slots when it began. */
interface Round {
  readonly ids: readonly number[];
  readonly at: number;
  /** Groups before this one are void when the round is over. */
  readonly start: number;
  /** Slots in the log since. */
  readonly logged: number;
}

/** A commit as the store gets it, and what it leaves in memory. */
interface Plan {
  readonly ops: readonly Op[];
  readonly folded: ReadonlySet<number>;
  /** What is done to slots of queues that are not folded, by queue. */
  readonly pending: ReadonlyMap<number, readonly Op[]>;
  readonly round: Round | undefined;
  readonly first: number;
  readonly next: number;
  readonly logged: number;
}

const isSlot = ({ table, key, value }: Op): boolean =>
  table === 'schedule' && key.length === SLOT_BYTES && (value === undefined || value.length === 0);
const queueOf = (key: Buffer): number => key.readUInt32BE(0);

export class SlotLog implements Kv {
  readonly #base: Kv;
  readonly #bounds: SlotBounds;
  readonly #pending = new Map<number, PendingQueue>();
  /** Its keys in order; made when they are asked for. */
  #ids: readonly number[] | undefined;
  /** Slots that are pending. */
  #count = 0;
  /** Slots in the log that are not void for certain. */
  #logged = 0;
  /** Numbers of the oldest group, of the oldest that is not void, and of the one that comes next. */
  #first = 1;
  #needed = 1;
  #next = 1;
  #round: Round | undefined;
  #lost: readonly string[] = [];
  /** Commits until it is folded again. */
  #resting = 0;
  /** The commits that were asked for. */
  #under: Promise<void> | undefined;

  /** Given another log, it is made anew on the store of that one. */
  constructor(kv: Kv, bounds = BOUNDS) {
    this.#base = kv instanceof SlotLog ? kv.#base : kv;
    this.#bounds = bounds;
    this.#load();
  }

  /**
   * The groups of the log that are lost. Then slots may be missing, and there may be some whose delivery has another
   * place, or has ended.
   */
  get damaged(): readonly string[] {
    return this.#lost;
  }

  get(table: Table, key: Buffer): Buffer | undefined {
    if (table === 'schedule' && key.length === SLOT_BYTES) {
      const added = this.#pending.get(queueOf(key))?.get(parseSlotKey(key));
      if (added !== undefined) return added ? nothing() : undefined;
    }
    return this.#base.get(table, key);
  }

  range(table: Table, options: RangeOptions): Iterable<Entry> {
    if (table !== 'schedule' || this.#count === 0) return this.#base.range(table, options);
    const { start, end, limit } = options;
    const [low, high] = [lowest(start), end && end.length >= ID_BYTES ? queueOf(end) : Infinity];
    if (low !== high) {
      const { limit: _, ...bounds } = options; // how many of the stored ones have gone is not known
      return merged(this.#base.range(table, bounds), this.#among(low, high, options), options);
    }
    const queue = this.#pending.get(low);
    if (!queue) return this.#base.range(table, options);
    const more = limit === undefined ? {} : { limit: limit + queue.removals };
    return merged(this.#base.range(table, { ...options, ...more }), pendingIn(queue, options), options);
  }

  commit(ops: readonly Op[]): Promise<void> {
    return this.#inTurn(() => this.#commit(ops));
  }

  /** Begins anew after damage, when each delivery has its place: nothing of it is named again. */
  renew(): Promise<void> {
    return this.#inTurn(() => this.#renew());
  }

  #inTurn(commit: () => Promise<void>): Promise<void> {
    // What a commit becomes depends on what the one before left.
    const done = this.#under ? this.#under.then(commit) : commit();
    const under = done
      .catch(() => undefined)
      .then(() => {
        if (this.#under === under) this.#under = undefined;
      });
    this.#under = under;
    return done;
  }

  bytes(): number {
    return this.#base.bytes();
  }

  close(): Promise<void> {
    return this.#base.close();
  }

  async #commit(ops: readonly Op[]): Promise<void> {
    checkOps(ops);
    if (!ops.some(isSlot)) {
      await this.#base.commit(ops);
      return;
    }
    const plan = this.#plan(ops);
    try {
      await this.#base.commit(plan.ops);
    } catch (error) {
      this.#resting = REST;
      throw error;
    }
    this.#apply(plan);
  }

  #plan(all: readonly Op[]): Plan {
    const ops: Op[] = [];
    const pending = new Map<number, Op[]>();
    let slots = 0;
    for (const op of all) {
      if (!isSlot(op)) {
        ops.push(op);
        continue;
      }
      slots++;
      const id = queueOf(op.key);
      const group = pending.get(id);
      if (group) group.push(op);
      else pending.set(id, [op]);
    }
    const folded = new Set<number>();
    const rests = this.#resting > 0;
    let most = rests ? 0 : Math.floor((this.#base.spare?.() ?? Infinity) / FOLD_BYTES);
    for (const [id, { length }] of pending) {
      const all = length + this.#sizeOf(id);
      if (all < this.#bounds.many || all > most) continue;
      folded.add(id);
      most -= all;
    }
    const round = most > 0 ? this.#goOn(pending, { slots, most }, folded) : this.#round;
    const markers: number[] = [];
    for (const id of folded) {
      // Also of a queue of which nothing is pending: what the log says of it may have come to nothing only before this.
      markers.push(id);
      this.#fold(id, pending.get(id) ?? [], ops);
      pending.delete(id);
    }
    let logged = 0;
    for (const group of pending.values()) logged += group.length;
    const value = encodeGroup(markers, pending, logged);
    if (value) ops.push(groupOp(this.#next, value));
    const first = rests ? this.#first : Math.min(this.#needed, this.#first + this.#bounds.slice);
    for (let number = this.#first; number < first; number++) ops.push(groupOp(number, undefined));
    return { ops, folded, pending, round, first, next: this.#next + (value ? 1 : 0), logged };
  }

  /** Chooses the next queues of the round, when it is time; a new one begins when there is none. */
  #goOn(
    changes: ReadonlyMap<number, readonly Op[]>,
    { slots, most }: { readonly slots: number; readonly most: number },
    folded: Set<number>,
  ): Round | undefined {
    const { pending, logged, groups, slice } = this.#bounds;
    const due = this.#count > pending || this.#logged > logged || this.#next - this.#needed > groups;
    if (!due) return this.#round;
    const round = this.#round ?? { ids: this.#inOrder(), at: 0, start: this.#next, logged: 0 };
    let { at } = round;
    let [left, room] = [2 * slots + slice, most];
    for (; left > 0 && at < round.ids.length; at++) {
      const id = round.ids[at]!;
      const size = folded.has(id) ? 0 : this.#sizeOf(id);
      if (size === 0) continue;
      const all = size + (changes.get(id)?.length ?? 0);
      if (all > room) break;
      folded.add(id);
      left -= size;
      room -= all;
    }
    return { ...round, at };
  }

  #sizeOf(id: number): number {
    return this.#pending.get(id)?.size ?? 0;
  }

  /** Writes the pending slots of a queue to the table, as they are after these operations. */
  #fold(id: number, changes: readonly Op[], ops: Op[]): void {
    const queue = this.#pending.get(id)?.copy() ?? new PendingQueue(id);
    for (const op of changes) this.#change(queue, op);
    for (const op of opsOf(queue)) ops.push(op);
  }

  #apply({ folded, pending, round, first, next, logged }: Plan): void {
    if (this.#resting > 0) this.#resting--;
    for (const id of folded) this.#forget(id);
    for (const group of pending.values()) for (const op of group) this.#changePending(op);
    this.#first = first;
    this.#next = next;
    this.#logged += logged;
    this.#round = round && { ...round, logged: round.logged + logged };
    if (this.#count === 0) this.#endRound({ start: next, logged: 0 });
    else if (this.#round && this.#round.at >= this.#round.ids.length) this.#endRound(this.#round);
  }

  #endRound({ start, logged }: Pick<Round, 'start' | 'logged'>): void {
    this.#needed = start;
    this.#logged = logged;
    this.#round = undefined;
  }

  #forget(id: number): void {
    this.#count -= this.#sizeOf(id);
    this.#pending.delete(id);
    this.#ids = undefined;
  }

  #changePending(op: Pick<Op, 'key' | 'value'>): void {
    const id = queueOf(op.key);
    let queue = this.#pending.get(id);
    if (!queue) {
      this.#pending.set(id, (queue = new PendingQueue(id)));
      this.#ids = undefined;
    }
    this.#count -= queue.size;
    this.#change(queue, op);
    this.#count += queue.size;
    if (queue.size === 0) this.#forget(id);
  }

  #change(queue: PendingQueue, { key, value }: Pick<Op, 'key' | 'value'>): void {
    const slot = parseSlotKey(key);
    if (value !== undefined) queue.add(slot);
    else queue.take(slot, () => this.#base.get('schedule', key) !== undefined);
  }

  async #renew(): Promise<void> {
    const first = this.#next;
    const pending = new Map([...this.#pending].map(([id, queue]) => [id, opsOf(queue)]));
    const group = encodeGroup([], pending, this.#count);
    await renewLog(this.#base, first, group);
    this.#first = first;
    this.#next = first + (group ? 1 : 0);
    this.#endRound({ start: first, logged: this.#count });
    this.#lost = [];
  }

  #load(): void {
    const { first, next, lost } = readLog(this.#base, {
      folded: (id) => this.#forget(id),
      changed: ({ key, added }) => {
        this.#changePending({ key, value: added ? nothing() : undefined });
        this.#logged++;
      },
    });
    this.#first = this.#needed = first;
    this.#next = next;
    this.#lost = lost;
  }

  /** The queues with pending slots, in the order of their keys. */
  #inOrder(): readonly number[] {
    return (this.#ids ??= [...this.#pending.keys()].sort((a, b) => a - b));
  }

  /** The pending slots of some queues that are in a range. */
  *#among(low: number, high: number, options: RangeOptions): Generator<PendingSlot, void> {
    const ids = this.#inOrder();
    const first = ids.length > 0 && low > 0 ? firstFrom(ids, low) : 0;
    const last = high === Infinity ? ids.length - 1 : firstFrom(ids, high + 1) - 1;
    for (let i = 0; i <= last - first; i++)
      yield* pendingIn(this.#pending.get(ids[options.reverse ? last - i : first + i]!)!, options);
  }
}

const lowest = (start: Buffer | undefined): number =>
  start && start.length >= ID_BYTES ? queueOf(start) : 0;

function opsOf(queue: PendingQueue): Op[] {
  const ops: Op[] = [];
  for (let i = 0; i < queue.size; i++) {
    const { key, added } = queue.at(i);
    ops.push({ table: 'schedule', key, value: added ? nothing() : undefined });
  }
  return ops;
}

function* pendingIn(
  queue: PendingQueue,
  { start, end, reverse }: RangeOptions,
): Generator<PendingSlot, void> {
  const [low, high] = [start ? queue.from(start) : 0, end ? queue.from(end) : queue.size];
  for (let i = 0; i < high - low; i++) yield queue.at(reverse ? high - 1 - i : low + i);
}

/** What is stored and what is pending, in one order. */
function* merged(
  stored: Iterable<Entry>,
  pending: Iterator<PendingSlot, void>,
  { limit = Infinity, reverse = false }: RangeOptions,
): Generator<Entry> {
  const entries = stored[Symbol.iterator]();
  const turned = reverse ? -1 : 1;
  try {
    let [entry, slot] = [entries.next(), pending.next()];
    for (let left = limit; left > 0 && !(entry.done && slot.done);) {
      const order = slot.done ? -1 : entry.done ? 1 : entry.value.key.compare(slot.value.key) * turned;
      if (order >= 0 && !slot.done) {
        const { key, added } = slot.value;
        if (added) {
          yield { key, value: nothing() };
          left--;
        }
        slot = pending.next();
      } else if (!entry.done) {
        yield entry.value;
        left--;
      }
      if (order <= 0) entry = entries.next();
    }
  } finally {
    entries.return?.();
  }
}
