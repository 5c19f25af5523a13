/**
 * Group commit: everything that is submitted while a commit is under way goes into the next one, and shares its sync.
 * When idle, a commit starts at the end of the event turn, so the wait is bounded by one commit. What nobody waits for
 * (`soon`) goes with what somebody waits for, and starts a commit of its own only after 2 ms: else the first outcome of
 * many would start one that all acceptances of the next moment wait for.
 *
 * A work is built (its operations are collected) only when the commit before has ended, so it reads a settled store;
 * what it changes in memory it does in `applied`, after the commit, so a failed commit leaves no trace.
 */
import type { Event } from '../core/index.ts';
import type { Kv, Op } from './kv.ts';
import type { Delivery, EarlyReport, SharedMessage } from './records.ts';

import type { Run } from './recipient-index.ts';

/** What a work adds to the transaction. */
export interface Transaction {
  readonly ops: Op[];
  /** Events in the order they shall have in the journal; sequence number and id are given at commit. */
  readonly events: EventDraft[];
  /** Events of jobs, many alike in one; each goes behind the events that were there when it began. */
  readonly runs: EventRun[];
  /** How many events those are. */
  inRuns: number;
  /** Shared messages that works of this transaction change: read through it, written once. */
  readonly shared: Map<number, SharedMessage>;
  /** What splits owe after the works so far, by key: written once. */
  readonly splits: Map<string, readonly number[]>;
  /** Counts of sending policies after the works so far, by key: written once. */
  readonly policies: Map<string, Buffer>;
  /** Deliveries leased by this transaction, under its lease id. */
  readonly leased: { readonly number: number; readonly index: number }[];
  readonly leaseId: number;
  /** Recipients accepted by this transaction (recipient-index.ts). */
  readonly recipients: Run[];
  /** Deliveries, indexes by message number, whose slot a work of this transaction took: a later one must not again. */
  readonly takenSlots: Map<number, Set<number>>;
  /** Leased deliveries that a work of this transaction has recorded the outcome of: a second one is fenced. */
  readonly concluded: Set<string>;
  /** Deliveries that end by this transaction, as they are after its works so far. */
  readonly ended: Map<string, Delivery>;
  /** What waits for the end of deliveries since this transaction. */
  readonly early: Map<string, EarlyReport>;
  /** By how many damaged deliveries the quarantine grows (quarantine.ts). */
  quarantined: number;
}

export type EventDraft = Omit<Event, 'seq' | 'id' | 'time'> & { readonly time: number };

/** Events that differ in delivery and recipient alone (event-runs.ts). */
export interface EventRun {
  /** What all of them have; delivery and recipient are those of the first. */
  readonly draft: EventDraft;
  /** Message of its deliveries, and of each its index and recipient. */
  readonly number: number;
  readonly indexes: number[];
  readonly recipients: string[];
  /** Events of the transaction that go before it. */
  readonly after: number;
}

export const newTransaction = (leaseId: number): Transaction => ({
  ops: [],
  events: [],
  runs: [],
  inRuns: 0,
  shared: new Map(),
  splits: new Map(),
  policies: new Map(),
  leased: [],
  leaseId,
  recipients: [],
  takenSlots: new Map(),
  concluded: new Set(),
  ended: new Map(),
  early: new Map(),
  quarantined: 0,
});

/** What is told of one that is durable. */
export interface Commit {
  readonly events: readonly EventDraft[];
  /** Events of jobs, which removed or moved mail. */
  readonly runs?: readonly EventRun[];
  /** How long it took. */
  readonly ms: number;
}

export interface Work {
  /**
   * Adds operations and events. A throw rejects this work alone; when it had changed what works share by then (a value of
   * the store could not be read in the middle of it), the commit fails as a whole, and nothing of it is stored.
   */
  build(transaction: Transaction): void;
  /** Runs after the commit is durable. Must not throw. */
  applied?(): void;
  /** The work, or the commit it was in, failed: gives back what `build` reserved. Must not throw. */
  failed?(): void;
}

export interface CommitterOptions {
  readonly kv: Kv;
  /** A fresh transaction. */
  readonly begin: () => Transaction;
  /** Turns the events of the transaction into operations; called once per commit, after all works were built. */
  readonly seal: (transaction: Transaction) => void;
  /** Runs after each durable commit: events written, time it took. */
  readonly committed: (transaction: Transaction, ms: number) => void;
  readonly mono: () => number;
}

interface Pending {
  readonly work: Work;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const SOON_MS = 2;
/** So many works start a commit, whoever waits for them. */
const ENOUGH = 100;

export class Committer {
  readonly #options: CommitterOptions;
  #pending: Pending[] = [];
  /** Whether a commit for what is pending is to start as soon as it can. */
  #urgent = false;
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  #submitted = 0;
  readonly #idle: (() => void)[] = [];

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Resolves when the work is durable and applied; rejects when it, or the commit it was in, failed. */
  submit(work: Work, when: 'now' | 'soon' = 'now'): Promise<void> {
    this.#submitted++;
    return new Promise((resolve, reject) => {
      this.#pending.push({ work, resolve, reject });
      if (when === 'now' || this.#pending.length >= ENOUGH) this.#urgent = true;
      this.#start();
    });
  }

  /** Works that were ever submitted. */
  get submitted(): number {
    return this.#submitted;
  }

  /** Works that wait for a commit. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** Resolves when nothing is pending. */
  async drained(): Promise<void> {
    if (!this.#running && this.#pending.length === 0) return;
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#urgent = true;
    this.#start();
    await idle;
  }

  #start(): void {
    if (this.#running) return;
    if (!this.#urgent) {
      this.#timer ??= setTimeout(() => {
        this.#urgent = true;
        this.#start();
      }, SOON_MS);
      return;
    }
    this.#running = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    do {
      const group = this.#pending;
      this.#pending = [];
      this.#urgent = false;
      await this.#commit(group);
    } while (this.#urgent || (this.#pending.length > 0 && this.#idle.length > 0));
    this.#running = false;
    if (this.#pending.length > 0) this.#start();
    else for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #commit(group: readonly Pending[]): Promise<void> {
    const transaction = this.#options.begin();
    const built: Pending[] = [];
    let spoilt = false;
    for (const pending of group) {
      const before = sharedBy(transaction);
      if (this.#build(pending, transaction)) built.push(pending);
      else if (sharedBy(transaction) !== before) spoilt = true;
    }
    const start = this.#options.mono();
    try {
      if (spoilt) throw new Error('another work of this commit failed after it had changed what they share');
      this.#options.seal(transaction);
      if (transaction.ops.length > 0) {
        await this.#options.kv.commit(transaction.ops);
      }
    } catch (error) {
      for (const pending of built) {
        pending.work.failed?.();
        pending.reject(error);
      }
      return;
    }
    this.#options.committed(transaction, this.#options.mono() - start);
    for (const { work, resolve, reject } of built) {
      try {
        work.applied?.();
        resolve();
      } catch (error) {
        // A bug of ours: the work is stored, its owner hears of it, the others go on.
        reject(error);
      }
    }
  }

  /** False when it has failed by itself. */
  #build(pending: Pending, transaction: Transaction): boolean {
    const { ops, events, leased } = transaction;
    const [opCount, eventCount, leasedCount] = [ops.length, events.length, leased.length];
    const { quarantined, inRuns } = transaction;
    const runCount = transaction.runs.length;
    try {
      pending.work.build(transaction);
      return true;
    } catch (error) {
      ops.length = opCount;
      events.length = eventCount;
      leased.length = leasedCount;
      transaction.runs.length = runCount;
      transaction.inRuns = inRuns;
      transaction.quarantined = quarantined;
      pending.work.failed?.();
      pending.reject(error);
      return false;
    }
  }
}

/** Grows with whatever works leave for each other in a transaction. */
const sharedBy = ({
  shared,
  splits,
  policies,
  recipients,
  takenSlots,
  concluded,
  ended,
  early,
}: Transaction): number =>
  shared.size +
  splits.size +
  policies.size +
  recipients.length +
  takenSlots.size +
  concluded.size +
  ended.size +
  early.size;
