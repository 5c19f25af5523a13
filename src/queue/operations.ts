/**
 * Operations of an operator on the queue. `hold` and `release` set a standing mark; `purge`, `retry`, `move` and
 * `change` are jobs: stored with a watermark, worked off in slices between other commits, resumed after a restart.
 *
 * A job first counts, where it is about single deliveries, then goes through the slots of the queues that fit; one on
 * much of what waits goes through the deliveries before that (record-work.ts). What a job takes away of whole queues
 * stops at once; what comes to them later goes on. What is leased meanwhile is asked about when it comes back (running-jobs.ts), so a
 * job is done only when all leases that were open when it came to the end have ended. Jobs go through the queues in the
 * order in which they were asked for.
 */
import { setImmediate } from 'node:timers/promises';
import type { Work } from './committer.ts';
import { concerns, type JobRecord, type Operation } from './job.ts';
import { domainsOf, domainsOp, type JobDomains, storedDomains } from './job-domains.ts';
import { begun, type Progress } from './job-progress.ts';
import { JobWork, type Place } from './job-work.ts';
import { JobCount } from './job-count.ts';
import { deliveryKey, numberKey, parseNumberKey } from './keys.ts';
import { RecordWork } from './record-work.ts';
import { type DamageTold, encode, healthy } from './records.ts';
import type { OperatorLog } from './operator-log.ts';
import { fitsQueue, isWhole, type Selector } from './selector.ts';
import { type Mark, MAX_MARKS, type Stop } from './holds.ts';
import type { QueueState } from './state.ts';

export interface OperationRequest {
  readonly operation: Operation;
  readonly selector: Selector;
  /** What the journal says of it. */
  readonly text: string;
  /** Its entry in the log of operators, which is told the count when the job is done. */
  readonly entry?: number | undefined;
  /** Name of the operator, for a mark. */
  readonly by?: string | undefined;
  /** Of a caller that may touch a part of the mail only: whether a selector is within it. */
  readonly owns?: ((selector: Selector) => boolean) | undefined;
}

/** A job on so large a share of what is queued (1 of so many) goes through all that is queued. */
const MUCH = 8;
/** Done jobs that are remembered. */
const KEPT = 100;
/** Jobs that are not done. */
const MAX_RUNNING = 100;
const LOOK_AGAIN_MS = 50;
const AGAIN_MS = 1_000;
/**
 * How long a slice is gathered. Beside others that want something of the store it is shorter, and the next one waits
 * until what they submitted meanwhile is stored, in a commit of their own.
 */
const SLICE_MS = { alone: 40, beside: 20 };

interface Walk {
  readonly progress: Progress;
  count: JobCount | undefined;
  /** Among the queues, or (a key) among the deliveries in the order of their acceptance; undefined before it has begun. */
  place: Place | Buffer | undefined;
  /** Newest lease when the walk was over; undefined while it is not. */
  lease: number | undefined;
}

/** An operation that cannot be done; the text says why. */
export class OperationRefused extends Error {}

/** The operation would let go what is kept by a hold that is not the caller's. */
export class HoldStands extends Error {
  readonly hold: Mark;

  constructor(hold: Mark) {
    super(`hold ${hold.id} is not the caller's`);
    this.hold = hold;
  }
}

export class Operations {
  readonly #state: QueueState;
  readonly #nextNumber: () => number;
  readonly #log: OperatorLog;
  /** All that are remembered, by id. */
  readonly #jobs = new Map<number, Progress>();
  readonly #counts = new Map<number, JobCount>();
  readonly #walks: Walk[] = [];
  /** Keys of those that cannot be read. */
  readonly #lost: Buffer[] = [];
  #lastId = 0;
  #line: Promise<unknown> = Promise.resolve();
  #loop: Promise<void> | undefined;
  #started = false;
  /** Works of the committer when it was looked at last, and those of ours since then. */
  #seen = 0;
  #own = 0;

  constructor(state: QueueState, nextNumber: () => number, log: OperatorLog) {
    this.#state = state;
    this.#log = log;
    this.#nextNumber = nextNumber;
    const told: DamageTold = (what, consequence) =>
      state.report('error', 'damage in the store', { what, consequence });
    for (const { key, value } of state.kv.range('jobs', {})) {
      this.#lastId = parseNumberKey(key);
      const record = healthy<JobRecord>(value);
      if (!record) {
        const text = 'what it had not done is not done: ask for it again; postrider audit-log has it';
        told(`job ${this.#lastId}`, text);
        this.#lost.push(key);
        continue;
      }
      const running = record.state !== 'done';
      const progress = this.#begun(record, running ? storedDomains(record, state.kv, told) : undefined);
      this.#jobs.set(record.id, progress);
      if (running) this.#walk(progress, false);
    }
    // A mark has the id of its job. Either may be lost, and what it held be in a queue of its own: none is given twice.
    for (const { id } of state.holds.marks) this.#lastId = Math.max(this.#lastId, id);
    this.#lastId = Math.max(this.#lastId, state.schedule.lastMark);
    state.schedule.applyHolds();
  }

  /** Works jobs off in the background from now on, until `stop`. */
  start(): void {
    this.#started = true;
    this.#run();
  }

  async stop(): Promise<void> {
    this.#started = false;
    await this.#loop;
  }

  get(id: number): JobRecord | undefined {
    return this.#counts.get(id)?.record ?? this.#jobs.get(id)?.record;
  }

  /** A count that was asked for, if the id is one. */
  counted(id: number): JobCount | undefined {
    return this.#counts.get(id);
  }

  /** All that are remembered, the oldest first. */
  list(): JobRecord[] {
    return [...this.#jobs.values()].map(({ record }) => record);
  }

  /** How many deliveries fit: exact at once for whole queues, else counted in slices. */
  count({ operation, selector }: OperationRequest): JobCount {
    const record = this.#record(++this.#lastId, { operation, selector, text: '' });
    const count = new JobCount(this.#state, record, this.#state.holds.ispOf);
    this.#counts.set(record.id, count);
    if (this.#counts.size > KEPT) this.#counts.delete(this.#counts.keys().next().value!);
    return count;
  }

  /**
   * Resolves when it is durable: a mark then holds, a job goes on by itself. `together`: stored in the same commit as a
   * job. Throws OperationRefused or HoldStands.
   */
  submit(request: OperationRequest, together?: Work): Promise<JobRecord> {
    // One after the other: the next one builds on the marks of this one.
    const submitted = this.#line.then(() => this.#submit(request, together));
    this.#line = submitted.catch(() => undefined);
    return submitted;
  }

  /** One slice of one job, gathered for so long, or the end of it. False when there is nothing to do just now. */
  async step(sliceMs: number = SLICE_MS.alone): Promise<boolean> {
    const { oldest } = this.#state.leases;
    const over = this.#walks.find(({ lease }) => lease !== undefined && oldest > lease);
    const walk = over ?? this.#walks.find(({ lease }) => lease === undefined);
    if (!walk) return false;
    if (over) await this.#finish(walk);
    else if (walk.count) this.#countOn(walk, walk.count);
    else await this.#walkOn(walk, sliceMs);
    return true;
  }

  async #submit(request: OperationRequest, together?: Work): Promise<JobRecord> {
    const { operation, selector, owns } = request;
    const keeper = owns && this.#state.holds.keeperOf({ operation, selector }, owns);
    if (keeper) throw new HoldStands(keeper);
    // So that no tenant keeps an operator from acting.
    const share = owns ? 1 / 2 : 1;
    if (this.#walks.length >= MAX_RUNNING * share)
      throw new OperationRefused(`${MAX_RUNNING * share} jobs are under way; wait until some are done`);
    const record = this.#record(++this.#lastId, request);
    if (isMark(operation)) await this.#mark(record, request);
    else await this.#store(record, request, together);
    if (record.state !== 'done') this.#applyHolds();
    this.#run();
    return record;
  }

  async #mark(record: JobRecord, request: OperationRequest): Promise<void> {
    const { holds } = this.#state;
    const { id, selector, at } = record;
    const { operation, by, owns } = request;
    const hold = operation.op === 'hold';
    const next = holds.with({ id, hold, selector, at, by, ...(owns && { bound: true }) });
    const most = owns ? MAX_MARKS / 2 : MAX_MARKS;
    if (next.length > Math.max(most, holds.marks.length))
      throw new OperationRefused(`${most} marks stand already; release what need not be held any more`);
    await this.#store(record, request, {
      build: (transaction) => holds.write(transaction, next),
      applied: () => holds.set(next),
    });
    this.#applyHolds();
  }

  /** Other queues are held or stopped now. */
  #applyHolds(): void {
    const { schedule, dispatcher } = this.#state;
    const changed = schedule.applyHolds();
    dispatcher?.held(changed.filter((queue) => queue.keepsBack(0)));
    for (const queue of changed) if (queue.wakeAt !== Infinity) dispatcher?.wake(queue, queue.wakeAt);
  }

  #record(id: number, { operation, selector, entry }: OperationRequest): JobRecord {
    const at = this.#state.clock.now();
    const mark = isMark(operation);
    const base = { id, operation, selector, at, watermark: this.#nextNumber(), entry };
    if (!isWhole(selector)) return { ...base, state: 'counting', matched: 0, done: 0 };
    const matched = this.#matched(selector);
    return { ...base, state: mark ? 'done' : 'running', matched, done: mark ? matched : 0 };
  }

  /** From the counts, so it takes no longer for a million. */
  #matched(selector: Selector): number {
    const { counters, holds } = this.#state;
    let matched = 0;
    for (const row of counters.rows())
      if (fitsQueue(selector, row, holds.ispOf)) matched += row.new + row.retry;
    return matched;
  }

  /** It holds from the moment it is stored: what comes back in the next commit meets it. */
  #store(asked: JobRecord, { text }: OperationRequest, more?: Work): Promise<void> {
    const { counters, holds } = this.#state;
    let record = asked;
    let domains: JobDomains;
    const forgotten = [...this.#jobs.values()].filter((job) => job.record.state === 'done').slice(0, -KEPT);
    return this.#state.committer.submit({
      build: (transaction) => {
        more?.build(transaction);
        // Later works of this commit do not see the mark yet; what they accept has a number already, and gets it by the job.
        if (isMark(asked.operation)) record = { ...asked, watermark: this.#nextNumber() };
        for (const { record: old } of forgotten)
          transaction.ops.push({ table: 'jobs', key: numberKey(old.id), value: undefined });
        for (const key of this.#lost)
          transaction.ops.push(
            { table: 'jobs', key, value: undefined },
            domainsOp(parseNumberKey(key), undefined),
          );
        transaction.ops.push({ table: 'jobs', key: numberKey(record.id), value: encode(record) });
        if (record.state !== 'done')
          domains = domainsOf(record.selector, { counters, transaction }, holds.ispOf);
        if (domains) transaction.ops.push(domainsOp(record.id, domains));
        transaction.events.push({ type: 'operation', time: record.at, reason: text });
      },
      applied: () => {
        more?.applied?.();
        for (const { record: old } of forgotten) this.#jobs.delete(old.id);
        this.#lost.length = 0;
        const progress = this.#begun(record, domains);
        this.#jobs.set(record.id, progress);
        if (record.state !== 'done') this.#walk(progress, true);
      },
      failed: () => more?.failed?.(),
    });
  }

  #begun(record: JobRecord, domains: JobDomains): Progress {
    return begun(record, domains, (domain) => this.#state.holds.ispOf(domain));
  }

  #walk(progress: Progress, fresh: boolean): void {
    const { record, ispOf } = progress;
    const count = record.state === 'counting' ? new JobCount(this.#state, record, ispOf) : undefined;
    this.#walks.push({ progress, count, place: undefined, lease: undefined });
    const { holds, jobs } = this.#state;
    jobs.add(progress);
    const { id, operation, selector, watermark, at } = record;
    if (!takesAway(operation) || !isWhole(selector)) return;
    const fits: Stop['fits'] = (queue) => concerns(operation, queue) && fitsQueue(selector, queue, ispOf);
    holds.stop(id, { fits, watermark, at, fresh });
  }

  #countOn(walk: Walk, count: JobCount): void {
    const done = count.step();
    const { record } = walk.progress;
    walk.progress.record = { ...record, matched: count.record.matched, state: done ? 'running' : 'counting' };
    if (done) walk.count = undefined;
  }

  async #walkOn(walk: Walk, sliceMs: number): Promise<void> {
    const { record } = walk.progress;
    walk.place ??= this.#isMuch(walk.progress) ? deliveryKey(0, 0) : this.#queuesOf(walk.progress);
    if ('queues' in walk.place && walk.place.queues.length === 0) {
      walk.lease = this.#state.leases.newest;
      if (this.#state.holds.unstop(record.id)) this.#applyHolds();
      return;
    }
    const work =
      'queues' in walk.place
        ? new JobWork(this.#state, walk.progress, walk.place, sliceMs)
        : new RecordWork(this.#state, walk.progress, walk.place, sliceMs);
    await this.#state.committer.submit(work);
    this.#own++;
    walk.place = work.next ?? this.#queuesOf(walk.progress);
  }

  #queuesOf({ record: { selector, operation }, ispOf }: Progress): Place {
    const fitting = [...this.#state.schedule.fitting(selector, ispOf)];
    return { queues: fitting.filter((one) => concerns(operation, one)), after: undefined };
  }

  /** Records first and slots after that: of a job on enough mail, and only where nothing of it is sent in between. */
  #isMuch({ record: { operation, selector, matched }, domains }: Progress): boolean {
    // Of queues whose ISP is known anew only later, slots that were left would not be found.
    if (selector.isp !== undefined && !domains) return false;
    const apart = operation.op === 'purge' || (isPlacing(operation) && isWhole(selector));
    return apart && matched * MUCH >= this.#state.counters.sum().queued;
  }

  /** Whether nobody else has submitted anything since the last time that this was asked. */
  #isAlone(): boolean {
    const { submitted } = this.#state.committer;
    const others = submitted - this.#seen - this.#own;
    [this.#seen, this.#own] = [submitted, 0];
    return others === 0;
  }

  async #finish(walk: Walk): Promise<void> {
    const { progress } = walk;
    let { record } = progress;
    await this.#state.committer.submit({
      build: (transaction) => {
        progress.over = true;
        record = { ...progress.record, done: progress.record.done + progress.pending, state: 'done' };
        transaction.ops.push({ table: 'jobs', key: numberKey(record.id), value: encode(record) });
        if (record.selector.isp !== undefined) transaction.ops.push(domainsOp(record.id, undefined));
        if (record.entry !== undefined) this.#log.jobDone(transaction, record.entry, record.done);
      },
      failed: () => (progress.over = false),
    });
    progress.record = record;
    this.#state.jobs.delete(progress);
    this.#walks.splice(this.#walks.indexOf(walk), 1);
  }

  #run(): void {
    if (!this.#started || this.#loop || this.#walks.length === 0) return;
    this.#loop = this.#work().finally(() => {
      this.#loop = undefined;
      this.#run();
    });
  }

  async #work(): Promise<void> {
    const { committer, report } = this.#state;
    while (this.#started && this.#walks.length > 0) {
      try {
        const alone = this.#isAlone();
        const stepped = await this.step(alone ? SLICE_MS.alone : SLICE_MS.beside);
        if (!stepped) await pause(LOOK_AGAIN_MS);
        await setImmediate(); // what came in meanwhile is submitted
        if (!alone) {
          await committer.submit({ build: () => undefined });
          this.#own++;
        }
      } catch (error) {
        report('error', 'a job on the queue could not go on, trying again', { error });
        await pause(AGAIN_MS);
      }
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const isMark = ({ op }: Operation): boolean => op === 'hold' || op === 'release';

/** Whether an operation takes mail out of its queue. */
const takesAway = (operation: Operation): boolean =>
  operation.op === 'purge' || 'node' in operation || 'sender' in operation;

/** Whether it gives mail another node, sender or band. */
const isPlacing = ({ op }: Operation): boolean => op === 'move' || op === 'change';
