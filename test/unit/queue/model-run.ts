/** Does the same to a queue and to its model, and compares what they say after every commit. */
import assert from 'node:assert/strict';
import { domainOf, messageNumberOf, timeOfMessageNumber } from '../../../src/core/index.ts';
import {
  type DecidedDelivery,
  type LeasedDelivery,
  type Outcome,
  oldestOf,
  rowName,
} from '../../../src/queue/index.ts';
import { parseDeliveryKey } from '../../../src/queue/keys.ts';
import { deliveryFrom } from '../../../src/queue/leasing.ts';
import { nameOf } from '../../../src/queue/queue-key.ts';
import type { SlotBounds } from '../../../src/queue/slot-log.ts';
import { auditStore } from '../../support/audit.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import {
  deferred,
  delivered,
  dropped,
  events,
  failed,
  type FaultyKv,
  newMessage,
  openRig,
  type Rig,
} from './fixture.ts';
import {
  type Ask,
  CAMPAIGNS,
  DOMAINS,
  idOf,
  Model,
  ModelCommit,
  type ModelDelivery,
  NODES,
} from './model.ts';
import type { Commit, Operate, Operation, OutcomeOperation, Step } from './model-steps.ts';

type Batch = Pick<ModelDelivery, 'number' | 'band' | 'campaign' | 'node'>;
type Check = (result: PromiseSettledResult<unknown>) => void;

/** An operation under way, and what its result must be when the commit is stored. */
interface Submitted {
  readonly done: Promise<unknown>;
  readonly check: Check;
}

/** Opens the store again after a restart; the same object where the store lives in memory. */
export type Reopen = (kv: FaultyKv, clean: boolean) => Promise<FaultyKv>;

/** So small that slots are folded, and groups of their log removed, within a run. */
const SMALL: SlotBounds = { pending: 3, logged: 12, groups: 5, many: 4, slice: 2 };

export class ModelRun {
  readonly #model = new Model();
  readonly #reopen: Reopen;
  readonly #batches: Batch[] = [];
  readonly #indexes = new Map<number, number>();
  /** Leased deliveries as the queue handed them out. */
  readonly #held = new Map<string, LeasedDelivery>();
  /** Finished deliveries whose history is over. */
  readonly #trimmed = new Set<string>();
  #kv: FaultyKv;
  #rig: Rig;

  private constructor(kv: FaultyKv, rig: Rig, reopen: Reopen) {
    this.#kv = kv;
    this.#rig = rig;
    this.#reopen = reopen;
  }

  static async start(kv: FaultyKv, reopen: Reopen): Promise<ModelRun> {
    return new ModelRun(kv, await openRig({ kv, clock: createFakeClock(), slotBounds: SMALL }), reopen);
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (step.step === 'commit') await this.#commit(step);
      else if (step.step === 'operate') await this.#operate(step);
      else if (step.step === 'trim') await this.#trim(step.ageMs);
      else await this.#restart(step.clean, step.passMs);
    }
  }

  close(): Promise<void> {
    return this.#rig.queue.close();
  }

  get #now(): number {
    return this.#rig.clock.now();
  }

  async #commit({ passMs, operations, places, stored }: Commit): Promise<void> {
    const rig = this.#rig;
    rig.clock.advance(passMs);
    for (const node of NODES)
      for (const domain of DOMAINS) rig.dispatcher.places.set(`${node} ${domain}`, places);
    const before = Object.fromEntries(rig.dispatcher.places);
    const commit = new ModelCommit(this.#model, this.#now, before);
    const [lastEvent, granted] = [rig.queue.state.journal.last, rig.dispatcher.delivered.length];
    this.#kv.failures = stored ? 0 : 1;
    const works = operations
      .map((operation) => this.#submit(operation, commit))
      .filter((work) => work !== undefined);
    const results = await Promise.allSettled(works.map(({ done }) => done));
    const failedCommit = !stored && this.#kv.failures === 0; // without operations nothing was committed, so nothing failed
    this.#kv.failures = 0;
    if (failedCommit) {
      for (const result of results) assert.equal(result.status, 'rejected');
      assert.deepEqual(Object.fromEntries(rig.dispatcher.places), before);
      assert.equal(rig.queue.state.journal.last, lastEvent);
    } else {
      commit.stored();
      for (const [i, { check }] of works.entries()) check(results[i]!);
      this.#take(rig.dispatcher.delivered.slice(granted), commit.claimed);
      assert.deepEqual(Object.fromEntries(rig.dispatcher.places), commit.places);
      const written = events(rig, lastEvent).map(({ type, delivery_id }) => `${type} ${plain(delivery_id!)}`);
      assert.deepEqual(written, commit.events);
    }
    this.#compare();
    await this.#workJobs();
  }

  /** An operation, and all that can be done of it at once: what is leased comes later. */
  async #operate({ op, selector, node }: Operate): Promise<void> {
    const { operations } = this.#rig.queue;
    const operation = op === 'move' ? { op, node } : { op };
    const lastEvent = this.#rig.queue.state.journal.last;
    const { id, at, watermark, state } = await operations.submit({ operation, selector, text: op });
    if (op === 'hold' || op === 'release') this.#model.marks.push({ hold: op === 'hold', selector });
    if (state === 'done') {
      this.#compare();
      return;
    }
    const job = { id, op, selector, node, at, watermark, done: 0 };
    this.#model.jobs.push(job);
    await this.#workJobs(lastEvent + 1, () => this.#model.work(job, this.#now));
  }

  /** Goes on with jobs as far as that goes, after which the model has done `work`. */
  async #workJobs(lastEvent = this.#rig.queue.state.journal.last, work = (): string[] => []): Promise<void> {
    const { operations } = this.#rig.queue;
    while (await operations.step());
    const expected = work();
    const written = events(this.#rig, lastEvent).map(
      ({ type, delivery_id }) => `${type} ${plain(delivery_id!)}`,
    );
    assert.deepEqual(written.sort(), expected.sort());
    for (const job of [...this.#model.jobs]) {
      const { state, done } = operations.get(job.id)!;
      assert.equal(done, job.done, `${job.op} has done so many`);
      if (state === 'done') this.#model.jobs.splice(this.#model.jobs.indexOf(job), 1);
    }
    if (this.#model.leased().length === 0) assert.equal(this.#model.jobs.length, 0, 'a job is not done');
    this.#compare();
  }

  #submit(operation: Operation, commit: ModelCommit): Submitted | undefined {
    const { queue } = this.#rig;
    switch (operation.op) {
      case 'accept':
        return this.#accept(operation, commit);
      case 'append':
        return this.#append(operation, commit);
      case 'lease': {
        const heads = [...queue.state.schedule.heads()];
        const head = heads[operation.which % heads.length];
        if (!head) return undefined;
        const { limit } = operation;
        const expected = commit.lease(nameOf(head), limit).map(idOf);
        const check: Check = (result) => {
          assert.equal(result.status, 'fulfilled');
          this.#take(result.value as LeasedDelivery[], expected);
        };
        return { done: queue.lease({ queue: head, limit }), check };
      }
      case 'outcome':
        return this.#outcome(operation, commit);
      case 'sweep':
        commit.sweep();
        return { done: queue.sweep(), check: fulfilled };
      case 'prune':
        return { done: queue.prune(), check: fulfilled };
    }
  }

  #accept(
    { to, open, node, campaign, band, delayMs, lifetimeMs }: Operation & { op: 'accept' },
    commit: ModelCommit,
  ): Submitted | undefined {
    const addresses = to.map((domain, i) => `r${i}@${domain}`);
    const wish = { campaignId: campaign, band, node, delayMs, lifetimeMs, to: addresses };
    const input = newMessage(this.#rig, { ...wish, ...(open ? { open } : {}) });
    for (const { number } of this.#model.deliveries.values())
      assert.ok(input.number > number, 'message numbers grow');
    const batch = { number: input.number, band, campaign, node };
    // The number of a commit that failed may be given again after a crash: then it is this batch's.
    const again = this.#batches.findIndex(({ number }) => number === batch.number);
    if (again >= 0) this.#batches[again] = batch;
    else if (open) this.#batches.push(batch);
    this.#indexes.set(input.number, to.length + 1);
    commit.accept(
      input.number,
      input.deliveries.map((one) => modelOf(batch, one)),
      open,
    );
    return { done: this.#rig.queue.accept(input), check: fulfilled };
  }

  #append(
    { which, to, close, delayMs, lifetimeMs }: Operation & { op: 'append' },
    commit: ModelCommit,
  ): Submitted | undefined {
    const batch = this.#batches[which % this.#batches.length];
    if (!batch) return undefined;
    const { number, node } = batch;
    const first = this.#indexes.get(number)!;
    this.#indexes.set(number, first + to.length);
    const times = { wakeAt: this.#now + delayMs, expiresAt: this.#now + lifetimeMs };
    const deliveries = to.map((domain, i) => ({
      index: first + i,
      record: { recipient: `x${i}@${domain}`, sender: 'promo', node, ...times, attempts: [] },
    }));
    const takes = commit.append(
      number,
      deliveries.map((one) => modelOf(batch, one)),
      close,
    );
    const check: Check = ({ status }) => assert.equal(status, takes ? 'fulfilled' : 'rejected');
    return { done: this.#rig.queue.accept({ number, deliveries, close }), check };
  }

  #outcome(operation: OutcomeOperation, commit: ModelCommit): Submitted | undefined {
    const leased = this.#model.leased();
    const delivery = leased[operation.which % leased.length];
    if (!delivery) return undefined;
    const { outcome, ask } = this.#askFor(operation);
    const counts = commit.outcome(delivery, ask);
    const reports = this.#rig.reports.length;
    const check: Check = ({ status }) => {
      assert.equal(status, 'fulfilled');
      if (!counts) assert.ok(this.#rig.reports.length > reports, 'a fenced outcome is reported');
    };
    return { done: this.#rig.queue.record(this.#held.get(idOf(delivery))!, outcome), check };
  }

  #askFor({ kind, node, delayMs }: OutcomeOperation): { outcome: Outcome; ask: Ask } {
    const wakeAt = this.#now + delayMs;
    const end = (as: (Ask & { kind: 'end' })['as'], attempted: boolean): Ask => ({
      kind: 'end',
      as,
      attempted,
    });
    switch (kind) {
      case 'delivered':
        return { outcome: delivered(this.#rig), ask: end('delivered', true) };
      case 'hard_bounce':
        return { outcome: failed(this.#rig), ask: end('hard_bounce', true) };
      case 'removed':
        return { outcome: dropped(this.#rig, 'removed'), ask: end('removed', false) };
      case 'dropped':
        return { outcome: dropped(this.#rig, 'dropped'), ask: end('undelivered', false) };
      case 'deferred':
        return { outcome: deferred(this.#rig, delayMs, node), ask: { kind, node, wakeAt } };
      case 'released':
        return { outcome: { kind, node, wakeAt }, ask: { kind, node, wakeAt } };
    }
  }

  /** What was handed out is what the model expects, as the model knows it. */
  #take(handed: readonly LeasedDelivery[], expected: readonly string[]): void {
    assert.deepEqual(handed.map(idOf), expected);
    for (const delivery of handed) {
      const { node, attempts, duplicate } = this.#model.deliveries.get(idOf(delivery))!;
      const { record, content } = delivery;
      assert.deepEqual(
        [record.node, record.attempts.length, record.possibleDuplicate ?? false, content.toString()],
        [node, attempts, duplicate, 'Hello'],
      );
      this.#held.set(idOf(delivery), delivery);
    }
  }

  async #trim(ageMs: number): Promise<void> {
    const bound = this.#now - ageMs;
    await this.#rig.queue.trim({ historyBefore: bound, journalBefore: bound });
    const kept = new Set(this.#keys('history'));
    for (const [id, { state, endedAt }] of this.#model.deliveries) {
      if (state === 'waiting' || state === 'leased' || kept.has(id)) continue;
      assert.ok(endedAt < bound || this.#trimmed.has(id), `history of ${id} went too early`);
      this.#trimmed.add(id);
    }
    this.#compare();
  }

  async #restart(clean: boolean, passMs: number): Promise<void> {
    if (clean) await this.#rig.queue.close();
    this.#kv = await this.#reopen(this.#kv, clean);
    this.#rig.clock.advance(passMs);
    this.#rig = await openRig({ kv: this.#kv, clock: this.#rig.clock, slotBounds: SMALL });
    assert.deepEqual(this.#rig.recovered, this.#model.restart());
    this.#held.clear();
    this.#model.stopping = [...this.#model.jobs];
    this.#compare();
    this.#model.stopping = [];
    const { jobs } = this.#model;
    await this.#workJobs(undefined, () => jobs.flatMap((job) => this.#model.work(job, this.#now)));
  }

  /** What is known of how old a row is, is never younger than its oldest delivery. */
  #compareAges(): void {
    const oldest = new Map<string, number>();
    for (const { key, value } of this.#kv.range('deliveries', {})) {
      const { number, index } = parseDeliveryKey(key);
      const { message, record } = deliveryFrom(this.#rig.queue.state, { number, index, value });
      const { accountId: account = '', campaignId: campaign = '' } = message;
      const { sender, node, recipient } = record;
      const row = rowName({ account, campaign, sender, node, domain: domainOf(recipient) });
      oldest.set(row, Math.min(oldest.get(row) ?? Infinity, timeOfMessageNumber(number)));
    }
    for (const row of this.#rig.queue.state.counters.rows())
      if (row.first !== undefined)
        assert.ok(oldestOf({ ...row, oldest: undefined }) <= oldest.get(rowName(row))!, rowName(row));
  }

  #keys(table: 'deliveries' | 'history'): string[] {
    return [...this.#kv.range(table, {})].map(({ key }) => idOf(parseDeliveryKey(key)));
  }

  #compare(): void {
    const { counters, schedule, leases } = this.#rig.queue.state;
    assert.deepEqual(auditStore(this.#kv), []);
    assert.deepEqual(new Set(this.#keys('deliveries')), new Set(this.#model.queued().map(idOf)));
    assert.equal(leases.size, this.#model.leased().length);
    const wakes = Object.fromEntries([...schedule.heads()].map((head) => [nameOf(head), head.wakeAt]));
    assert.deepEqual(wakes, this.#model.wakes());
    const totals = new Map([...counters.totals()].map((one) => [one.campaign, one]));
    for (const campaign of CAMPAIGNS) {
      for (const name of ['accepted', 'delivered', 'hard_bounced', 'undelivered', 'removed'] as const) {
        const state = name === 'hard_bounced' ? 'hard_bounce' : name;
        assert.equal(
          totals.get(campaign)?.[name] ?? 0,
          this.#model.count(campaign, state),
          `${campaign} ${name}`,
        );
      }
    }
    const proc = [...counters.rows()].reduce((sum, row) => sum + row.proc, 0);
    assert.equal(proc, this.#model.leased().length);
    assert.equal(counters.sum().queued, this.#model.queued().length);
    for (const name of ['accepted', 'delivered', 'undelivered', 'removed', 'soft_bounces'] as const)
      assert.equal(
        counters.sum()[name],
        [...totals.values()].reduce((sum, one) => sum + one[name], 0),
        name,
      );
    this.#compareAges();
    let held = 0;
    for (const row of counters.rows()) held += schedule.heldOf(row, row.new + row.retry - row.proc);
    const waiting = this.#model.queued().filter(({ state }) => state === 'waiting');
    assert.equal(held, waiting.filter((one) => this.#model.held(one)).length);
  }
}

const fulfilled: Check = ({ status }) => assert.equal(status, 'fulfilled');

/** `number.index` of a delivery id. */
function plain(id: string): string {
  const [message = '', index = ''] = id.split('.');
  return `${messageNumberOf(message)}.${index}`;
}

function modelOf({ number, band, campaign }: Batch, { index, record }: DecidedDelivery): ModelDelivery {
  const { node, wakeAt, expiresAt, recipient } = record;
  const domain = recipient.slice(recipient.indexOf('@') + 1);
  const facts = { number, index, domain, recipient, band, campaign, node, wakeAt, expiresAt };
  return { ...facts, attempts: 0, triedAt: 0, duplicate: false, state: 'waiting', endedAt: 0 };
}
