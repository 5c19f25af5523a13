/**
 * The queue: accepts messages, hands out what is due, records what became of it. Everything that changes it is a work
 * of the group commit, so a promise of this class that resolves means: durable, journaled, counted.
 *
 * Failure: a rejected promise means that nothing of the work was stored. The store's errors reach the caller as they
 * are; they do not end the process.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, type Event, messageNumbers } from '../core/index.ts';
import { AcceptWork, type Addition, type NewMessage } from './accepting.ts';
import { ClockWatch } from './clock-watch.ts';
import { type Commit, Committer, type EventDraft, newTransaction, type Transaction } from './committer.ts';
import { type Control, type ControlChange, controlWork, readControls } from './controls.ts';
import { Counters, parseRowName } from './counters.ts';
import { loadCounts } from './counts-at-start.ts';
import { EarlyReports } from './early-reports.ts';
import { EndedToday } from './ended-today.ts';
import { EndSpeeds } from './end-speeds.ts';
import { SweepWork, type TrimBounds, Trims, TrimWork } from './housekeeping.ts';
import { Inbox } from './inbox.ts';
import { Journal, markOp, readMark } from './journal.ts';
import { numberKey } from './keys.ts';
import type { Kv } from './kv.ts';
import { Holds } from './holds.ts';
import { Leases } from './leases.ts';
import { lastNumber, timeOfNewest } from './newest.ts';
import { ContentCache, type LeaseRequest, LeaseWork } from './leasing.ts';
import { announcement, type LimitMark, MarksWalk, readMark as readLimit, storeMarks } from './limit-marks.ts';
import { Operations } from './operations.ts';
import { OperatorLog } from './operator-log.ts';
import { type Outcome, OutcomeWork } from './outcomes.ts';
import { sealRecipients } from './recipient-index.ts';
import { MergeRecipientsWork } from './recipient-merging.ts';
import { type Reopening, ReopenWork } from './reopening.ts';
import { type DamageTold, encode, type LeasedDelivery } from './records.ts';
import { type Recovered, RecoverWork } from './recovery.ts';
import { Redating } from './redating.ts';
import { RunningJobs } from './running-jobs.ts';
import { Policies, sealPolicies } from './policies.ts';
import type { QueueHead } from './queue-head.ts';
import { Quarantine } from './quarantine.ts';
import { Schedule } from './schedule.ts';
import { type SlotBounds, SlotLog } from './slot-log.ts';
import { removeWrongSlots } from './slot-mending.ts';
import type { Dispatcher, QueueState } from './state.ts';
import type { SendingFile } from './sending-file.ts';
import { StopList } from './stop-list.ts';
import { openFormat } from './store-format.ts';
import type { StoreMark } from './store-mark.ts';
import { SweptRows } from './swept-rows.ts';
import { sealTurns } from './turns.ts';
import { Unclosed } from './unclosed.ts';

const SNAPSHOT_MS = 5_000;
const SNAPSHOT_EVENTS = 50_000;
const FOLLOW_BATCH = 500;
const ROWS_OF_A_TURN = 1_000;

export interface QueueOptions {
  readonly kv: Kv;
  readonly clock: Clock;
  readonly report: QueueState['report'];
  /** Where it is written which deliveries have begun to send their content. */
  readonly sending?: SendingFile | undefined;
  /** Of the days that counts are of. */
  readonly timezone?: string;
  /** Told of each durable commit: events in it, time it took. */
  readonly onCommit?: (commit: Commit) => void;
  /** When slots are folded into their table; for tests. */
  readonly slotBounds?: SlotBounds;
}

export class Queue {
  readonly #state: QueueState;
  readonly #options: QueueOptions;
  readonly #contents = new ContentCache();
  /** Inbound mail that is not read yet. */
  readonly inbox: Inbox;
  /** What operators did. */
  readonly operatorLog: OperatorLog;
  readonly #nextNumber: () => number;
  /** Where the numbers are counted; other threads take theirs there too (core/ids.ts). */
  readonly numbers = new SharedArrayBuffer(8);
  readonly #operations: Operations;
  readonly #told: DamageTold;
  readonly #redating: Redating;
  readonly #marksWalk: MarksWalk;
  readonly #trims: Trims;
  #snapshotAt: number;
  /** The group of the recipient index that the merging has come to. */
  #mergedTo: Buffer | undefined;
  /** The transaction under way carries a snapshot. */
  #snapshotting = false;

  private constructor(options: QueueOptions, mark: StoreMark) {
    const { kv, clock, report } = options;
    this.#options = options;
    const committer = new Committer({
      kv,
      mono: () => clock.mono(),
      begin: () => newTransaction(this.#state.leases.nextId()),
      seal: (transaction) => this.#seal(transaction),
      committed: (transaction, ms) => this.#committed(transaction, ms),
    });
    const counted = readMark(kv);
    const journal = new Journal(kv, mark, counted);
    const newest = timeOfNewest(journal);
    const counters = new Counters();
    const endedToday = new EndedToday(options.timezone ?? 'UTC');
    this.#told = (what, consequence) => report('error', 'damage in the store', { what, consequence });
    const holds = new Holds(kv, this.#told);
    const schedule = new Schedule(kv, holds, this.#told);
    const jobs = new RunningJobs();
    this.#state = {
      kv,
      clock,
      watch: new ClockWatch(clock, newest),
      journal,
      counters,
      speeds: new EndSpeeds(() => clock.mono()),
      endedToday,
      schedule,
      holds,
      jobs,
      leases: new Leases(),
      sending: options.sending,
      committer,
      stopList: new StopList(kv, () => clock.now(), committer),
      policies: new Policies(kv, () => clock.now(), committer),
      early: new EarlyReports(kv),
      quarantine: new Quarantine(kv),
      unclosed: new Unclosed(),
      dispatcher: undefined,
      report,
    };
    this.#redating = new Redating(this.#state);
    this.#marksWalk = new MarksWalk(this.#state);
    this.#trims = new Trims(kv);
    this.inbox = new Inbox(kv, () => this.#state, this.#told);
    if (!loadCounts({ kv, journal, counters, endedToday, told: this.#told }, counted !== undefined))
      report('error', 'stored counts or events are damaged; what is queued was counted anew', {});
    this.#snapshotAt = clock.mono();
    this.#nextNumber = messageNumbers(() => clock.now(), lastNumber(kv, newest), this.numbers);
    this.operatorLog = new OperatorLog(kv, () => clock.now(), committer);
    this.#operations = new Operations(this.#state, this.#nextNumber, this.operatorLog);
  }

  /** Opens the queue on a store and recovers what a crash left. Throws StoreVersionError. */
  static async open(options: QueueOptions): Promise<{ queue: Queue; recovered: Recovered }> {
    const mark = await openFormat(options);
    const kv = new SlotLog(options.kv, options.slotBounds);
    if (kv.damaged.length > 0) await removeWrongSlots(kv);
    const queue = new Queue({ ...options, kv }, mark);
    const recovery = new RecoverWork(queue.#state, kv.damaged);
    await queue.#state.committer.submit(recovery);
    if (kv.damaged.length > 0) await kv.renew();
    options.sending?.start((error) => {
      const text =
        'it is not written any more which deliveries are being sent: after a crash all leased ones may arrive twice';
      options.report('warn', text, { error });
    });
    return { queue, recovered: recovery.recovered };
  }

  /** For the parts that read: lookup.ts, housekeeping.ts. */
  get state(): QueueState {
    return this.#state;
  }

  /** Who is not mailed. */
  get stopList(): StopList {
    return this.#state.stopList;
  }

  /** How often an address may be mailed. */
  get policies(): Policies {
    return this.#state.policies;
  }

  attach(dispatcher: Dispatcher): void {
    this.#state.dispatcher = dispatcher;
    this.#state.holds.ispOf = (domain) => dispatcher.ispOf(domain);
    this.#state.schedule.applyHolds(); // marks and jobs may speak of ISPs
  }

  /** The ISP of a domain is known now, or another one: its queues may be held by that, or not any more. */
  ispFound(queues: Iterable<QueueHead>): void {
    const { holds, schedule, dispatcher } = this.#state;
    if (!holds.byIsp) return;
    const changed = schedule.applyHolds(queues);
    dispatcher?.held(changed.filter((queue) => queue.keepsBack(0)));
    for (const queue of changed) if (queue.wakeAt !== Infinity) dispatcher?.wake(queue, queue.wakeAt);
  }

  /** What operators have asked for: holds, releases and jobs. */
  get operations(): Operations {
    return this.#operations;
  }

  /** A number for a new message; grows with time, unique in this store. */
  nextNumber(): number {
    return this.#nextNumber();
  }

  /** Resolves when the message and all its deliveries are durable. */
  accept(input: NewMessage | Addition): Promise<void> {
    return this.#state.committer.submit(new AcceptWork(this.#state, input));
  }

  /** Opens a message that was closed, for additions. */
  reopen(input: Reopening): Promise<void> {
    return this.#state.committer.submit(new ReopenWork(this.#state, input));
  }

  /** Leases what is due in a queue; resolves when the lease is durable. One request per queue at a time. */
  async lease(request: LeaseRequest): Promise<readonly LeasedDelivery[]> {
    const work = new LeaseWork(this.#state, request, this.#contents);
    await this.#state.committer.submit(work);
    return work.taken;
  }

  /** Limiter state stored with leases (LeaseRequest.mark), by its key. */
  limitMark(key: string): unknown {
    return readLimit(this.#state.kv, key);
  }

  /** Forgets limiter state that is spent, as the sending side says, among the next `slice`; the number that went. */
  forgetLimits(spent: (mark: LimitMark) => boolean, slice: number): Promise<number> {
    return this.#marksWalk.forget(spent, slice);
  }

  /** Records the outcome of a leased delivery. On rejection the caller tries again. */
  record(delivery: LeasedDelivery, outcome: Outcome): Promise<void> {
    return this.#state.committer.submit(new OutcomeWork(this.#state, delivery, outcome), 'soon');
  }

  /** The content of a leased delivery is about to be written: from now on a crash leaves a possible duplicate. */
  sending(delivery: LeasedDelivery): void {
    this.#state.sending?.begun(delivery);
  }

  /** Writes an event that changes no delivery (node_state, speed, alert, config), and the limiter state that goes with it. */
  announce(event: EventDraft, mark?: LimitMark): Promise<void> {
    return this.#state.committer.submit(announcement(event, mark));
  }

  /** Limiter state by itself: what a lease reserved and nobody will spend is free again. */
  store(marks: readonly LimitMark[]): Promise<void> {
    return storeMarks(this.#state, marks);
  }

  /** Standing orders about sending (locks, states of nodes). */
  controls(): readonly Control[] {
    return readControls(this.#state.kv, this.#told);
  }

  /** Sets or removes one, with its event. What was submitted in the same turn shares the commit. */
  control(change: ControlChange): Promise<void> {
    return this.#state.committer.submit(controlWork(change));
  }

  /** Wall time (ms) by which lifetimes end: a step of the clock ends none. */
  lifetimeNow(): number {
    return this.#state.watch.lifetimeNow();
  }

  /** To be asked every second: when the clock was set back, what waits is brought to it. */
  lookAtClock(): Promise<void> {
    return this.#redating.look(this.#state, (job, together) => this.#operations.submit(job, together));
  }

  /** One pass over the queue: ends what has outlived its lifetime, returns the oldest acceptance per domain (ms). */
  async sweep(): Promise<ReadonlyMap<string, number>> {
    const seen = new SweptRows();
    let from: Buffer | undefined;
    do {
      const work = new SweepWork(this.#state, from, seen);
      await this.#state.committer.submit(work);
      from = work.next;
    } while (from);
    const oldest = new Map<string, number>();
    let count = 0;
    for (const [name, row] of seen.rows) {
      this.#state.counters.swept(name, row);
      const { domain } = parseRowName(name);
      oldest.set(domain, Math.min(row.oldest, oldest.get(domain) ?? Infinity));
      if (++count % ROWS_OF_A_TURN === 0) await nextTurn();
    }
    return oldest;
  }

  /** Removes finished deliveries and events beyond the bounds, in slices. */
  async trim(bounds: TrimBounds): Promise<number> {
    let removed = 0;
    for (;;) {
      const work = new TrimWork(this.#state, bounds, this.#trims);
      await this.#state.committer.submit(work);
      removed += work.removed;
      if (work.removed === 0) return removed;
    }
  }

  /** Makes one of small groups of the recipient index, so that a look-up stays quick. Not while `trim` runs. */
  async mergeRecipients(): Promise<void> {
    for (let more = true; more;) {
      const work = new MergeRecipientsWork(this.#state.kv, this.#mergedTo);
      await this.#state.committer.submit(work);
      ({ last: this.#mergedTo, more } = work);
    }
  }

  /** Forgets queues that hold nothing any more. */
  prune(): Promise<void> {
    return this.#state.committer.submit({ build: ({ ops }) => this.#state.schedule.prune(ops) });
  }

  /** Events after `seq`, and the ones that come, until the signal ends it. */
  async *follow(seq: number, signal: AbortSignal): AsyncGenerator<Event> {
    let last = seq;
    while (!signal.aborted) {
      // In batches: a slow reader must not hold a cursor, which keeps the store from reusing pages.
      const batch = this.#state.journal.take(last, FOLLOW_BATCH);
      yield* batch;
      last = batch.at(-1)?.seq ?? last;
      if (batch.length > 0) continue;
      await this.#state.journal.waitFor(last, signal);
    }
  }

  /** Waits for the commits under way, writes a last snapshot of the counts and closes the store. */
  async close(): Promise<void> {
    await this.#operations.stop();
    await this.#state.committer.drained();
    this.#snapshotAt = -Infinity;
    await this.#state.committer.submit({ build: () => undefined }).catch(() => undefined);
    await this.#state.kv.close();
    if (this.#state.leases.size === 0) this.#state.sending?.close();
  }

  /** Deliveries that are damaged and set aside. */
  get quarantine(): Quarantine {
    return this.#state.quarantine;
  }

  #seal(transaction: Transaction): void {
    const { ops, shared } = transaction;
    for (const [number, message] of shared) {
      ops.push({ table: 'messages', key: numberKey(number), value: encode(message) });
      const done = message.remaining === 0 && !message.open;
      if (done) ops.push({ table: 'contents', key: numberKey(number), value: undefined });
    }
    sealTurns(transaction);
    sealPolicies(transaction);
    this.#state.leases.seal(transaction);
    sealRecipients(transaction, this.#state.journal.last + 1);
    this.#state.journal.seal(transaction);
    this.#redating.seal(ops);
    this.#snapshotting = this.#snapshotDue();
    if (!this.#snapshotting) return;
    this.#state.counters.snapshot(ops, this.#options.clock.now());
    this.#state.endedToday.snapshot(ops);
    ops.push(markOp(this.#state.journal.mark()));
  }

  #committed(transaction: Transaction, ms: number): void {
    const { journal, counters, endedToday, speeds, leases, early, quarantine } = this.#state;
    leases.sealed();
    early.committed(transaction);
    quarantine.changed(transaction.quarantined);
    if (this.#snapshotting) {
      counters.snapshotted();
      endedToday.snapshotted();
      this.#snapshotAt = this.#options.clock.mono();
      journal.marked();
    }
    const { events, runs, inRuns } = transaction;
    journal.written(events.length + inRuns);
    for (const event of events) {
      counters.apply(event);
      endedToday.apply(event);
      speeds.add(event);
    }
    for (const run of runs) {
      counters.applyRun(run);
      endedToday.applyRun(run);
      speeds.addRun(run);
    }
    if (transaction.ops.length > 0) this.#options.onCommit?.({ events, runs, ms });
  }

  #snapshotDue(): boolean {
    const { clock } = this.#options;
    const behind = this.#state.journal.last - this.#state.journal.counted;
    return behind > 0 && (behind > SNAPSHOT_EVENTS || clock.mono() - this.#snapshotAt > SNAPSHOT_MS);
  }
}
