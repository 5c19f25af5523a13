/**
 * Queues whose mail is due and waits for a limit beside that of the lane: of its campaign, of its sender, of the ISP.
 * Their mail stays in the store as it is, and each is woken when something of it may go, so a campaign of a million
 * costs one timer, and a limit that is raised or taken away holds nobody. They take turns as at a destination (turns.ts).
 */
import type { QueueHead } from '../../queue/index.ts';
import { Turns } from './turns.ts';

/** How long an idle look at what is parked takes to come again, at least and at most. */
const LEAST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 60_000;
/** Queues that are woken in one turn: when the day of a cap ends, all that are parked may go. */
const AT_ONCE = 500;

/** What the queues wait for. */
export interface RoomGate {
  /** How many of `most` deliveries may be leased now. */
  room(most: number): number;
  /** ms until it makes sense to ask again; Infinity when only other limits make room. */
  nextRoomMs(): number;
}

/** A gate with what waits for it. */
export interface ParkingGate extends RoomGate {
  readonly parking: Parking;
}

interface Parked {
  readonly head: QueueHead;
  readonly wake: () => void;
}

export class Parking {
  readonly #gate: RoomGate;
  readonly #queues = new Map<QueueHead, Parked>();
  readonly #turns = new Turns<Parked>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(gate: RoomGate) {
    this.#gate = gate;
  }

  get size(): number {
    return this.#queues.size;
  }

  add(head: QueueHead, wake: () => void): void {
    if (!this.#queues.has(head)) {
      const parked = { head, wake };
      this.#queues.set(head, parked);
      this.#turns.add(parked);
    }
    this.#arm();
  }

  /** Other limits hold now, or none: all are woken and ask anew. */
  release(): void {
    const parked = [...this.#queues.values()];
    this.forget();
    for (const { wake } of parked) wake();
  }

  /** Somebody else wakes them. */
  forget(): void {
    this.#queues.clear();
    this.#turns.clear();
    this.#disarm();
  }

  /** There may be room sooner than it seemed. */
  lookAgain(): void {
    this.#disarm();
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  #arm(): void {
    if (this.#closed || this.#timer || this.#queues.size === 0) return;
    const wait = this.#gate.nextRoomMs();
    if (wait === Infinity) return;
    const ms = Math.min(LONGEST_WAIT_MS, Math.max(LEAST_WAIT_MS, wait));
    this.#timer = setTimeout(() => this.#open(), ms);
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** As many queues as deliveries may go, so that thousands are not asked for one token. */
  #open(): void {
    this.#timer = undefined;
    const woken: Parked[] = [];
    const most = Math.min(this.#queues.size, AT_ONCE);
    for (let room = this.#gate.room(most); room > 0; room--) woken.push(this.#next());
    for (const { wake } of woken) wake();
    this.#arm();
  }

  #next(): Parked {
    const parked = this.#turns.next()!;
    this.#turns.took(parked);
    this.#turns.delete(parked);
    this.#queues.delete(parked.head);
    return parked;
  }
}

/** How many of `most` deliveries of the queue all gates let go now; when none, it waits at the one that has no room. */
export function roomIn(
  gates: Iterable<ParkingGate>,
  queue: QueueHead,
  { most, wake }: { readonly most: number; readonly wake: () => void },
): number {
  let room = most;
  for (const gate of gates) {
    room = gate.room(room);
    if (room > 0) continue;
    gate.parking.add(queue, wake);
    return 0;
  }
  return room;
}
