/**
 * All locks: set by a lock rule when its threshold is reached or by hand, lifted by hand, by time (those set by hand) or
 * by a probe (those of a rule). Every change is stored with its event; after a restart they hold as before.
 *
 * The lanes of the sending side ask for the locks that stop them when `onChange` says that there are others.
 */
import type { LockRuleConfig, SenderConfig } from '../../config/index.ts';
import type { Clock, Refusal } from '../../core/index.ts';
import type { AttemptFacts, EventDraft, Queue } from '../../queue/index.ts';
import { Lock, lockKey, type LockPlace, type LockRecord } from './lock.ts';
import type { Report } from './report.ts';
import { Thresholds } from './thresholds.ts';

/** The wall clock may step, so no timer is trusted for long. */
const LONGEST_TIMER_MS = 30_000;
/** A lock that waits for a probe ends when no mail came to try for so long. */
const PROBE_MS = 24 * 3_600_000;

export interface LocksOptions {
  readonly queue: Queue;
  readonly clock: Clock;
  readonly report: Report;
  /** Locks came, went, or began to try. */
  readonly onChange: () => void;
}

export interface LockWish {
  readonly node: string;
  /** The lane to lock; undefined: the whole node. */
  readonly lane: string | undefined;
  readonly isp: string | undefined;
  readonly durationMs: number | undefined;
  readonly waiting: 'wait' | 'move';
  readonly reason: string;
}

export class Locks {
  readonly #options: LocksOptions;
  readonly #locks = new Map<string, Lock>();
  readonly #thresholds = new Thresholds();
  /** Locks of a sender, by sender and lane. */
  readonly #senders = new Map<string, Lock>();
  #timer: NodeJS.Timeout | undefined;
  /** Locks whose time was over when the timer last looked. */
  readonly #trying = new Set<Lock>();

  constructor(options: LocksOptions) {
    this.#options = options;
    for (const { key, value } of options.queue.controls())
      if (key[0] === 'lock') this.#keep(new Lock(value as LockRecord));
    this.#arm();
  }

  list(): readonly Lock[] {
    return [...this.#locks.values()];
  }

  /** The locks that stop a lane. */
  of(node: string, lane: string): readonly Lock[] {
    return this.list().filter((lock) => lock.stops(node, lane));
  }

  /** The lock of the whole node, unless its time is over. */
  holding(node: string): Lock | undefined {
    const lock = this.ofNode(node);
    return lock?.locked(this.#options.clock.now()) ? lock : undefined;
  }

  /** The lock of the whole node; asked for each delivery, so cheap when there is none. */
  ofNode(node: string): Lock | undefined {
    if (this.#locks.size === 0) return undefined;
    return this.#locks.get(idOf(lockKey('node', { node })));
  }

  /** Whether there is a lock that only stops one sender's mail; asked for each delivery, so cheap when there is none. */
  get anySender(): boolean {
    return this.#senders.size > 0;
  }

  ofSender(sender: string, lane: string): Lock | undefined {
    return this.#senders.get(`${sender}\0${lane}`);
  }

  /** Whether none of the sender's mail may leave through a lane now, whichever of its nodes has it. */
  stopSender({ name, nodes }: Pick<SenderConfig, 'name' | 'nodes'>, lane: string): boolean {
    if (this.#locks.size === 0) return false;
    const now = this.#options.clock.now();
    if (this.ofSender(name, lane)?.locked(now)) return true;
    return nodes.every(({ node }) => this.of(node, lane).some((lock) => lock.locked(now)));
  }

  /** A refusal matched a rule that asks for a lock. */
  refused(
    rule: LockRuleConfig,
    place: LockPlace,
    about: { facts: AttemptFacts; cause: string; text: string },
  ): void {
    const { clock } = this.#options;
    const now = clock.now();
    const key = lockKey(rule.scope, place);
    const before = this.#locks.get(idOf(key));
    if (before?.locked(now)) return;
    if (!before && !this.#thresholds.reached(`${rule.name}\0${idOf(key)}`, rule.threshold, clock.mono()))
      return;
    const level = before ? before.record.level + 1 : 0;
    const ms = Math.min(rule.durationMs * rule.escalate ** level, rule.maxDurationMs);
    const { reply } = about.facts;
    const record: LockRecord = {
      scope: rule.scope,
      ...partsOf(rule.scope, place),
      rule: rule.name,
      cause: about.cause,
      since: now,
      until: now + Math.round(ms),
      level,
      waiting: rule.waiting,
      reason: about.text.slice(0, 500),
      ...(reply && { reply }),
    };
    this.#set(new Lock(record)).catch(() => undefined);
  }

  /** Resolves when the lock is durable. */
  byHand({ node, lane, isp, durationMs, waiting, reason }: LockWish): Promise<void> {
    const now = this.#options.clock.now();
    const place = { node, ...(lane !== undefined && { lane }), ...(isp !== undefined && { isp }) };
    const end = durationMs === undefined ? {} : { until: now + durationMs };
    const scope = lane === undefined ? 'node' : 'node_isp';
    return this.#set(new Lock({ scope, ...place, since: now, ...end, level: 0, waiting, reason }));
  }

  /** Lifts by hand what `wanted` says; resolves with how many when that is durable. */
  async lift(wanted: (lock: Lock) => boolean): Promise<number> {
    const lifted = this.list().filter(wanted);
    await Promise.all(lifted.map((lock) => this.#unset(lock, 'lifted by hand')));
    return lifted.length;
  }

  /** What became of a delivery that went through these locks: undefined when nothing was said about it. */
  settle(locks: Iterable<Lock>, deliveryId: string, refusal: Refusal | 'delivered' | undefined): void {
    for (const lock of locks) {
      if (lock.probe !== deliveryId) continue;
      // A receiver that refuses this message or recipient for another reason talks to us again.
      const talks =
        typeof refusal === 'object' && refusal.reply && /^(?:recipient|message)$/.test(refusal.scope);
      if (refusal !== 'delivered' && !talks) {
        this.#nextMayTry(lock);
        continue;
      }
      lock.probe = undefined;
      const how =
        refusal === 'delivered' ? 'a probe was delivered' : 'a probe was refused for another reason';
      this.#unset(lock, how).catch(() => undefined);
    }
  }

  /** A delivery that went first for its sender is not on its way any more, and nothing was said. */
  release(deliveryId: string): void {
    for (const lock of this.#senders.values()) if (lock.probe === deliveryId) this.#nextMayTry(lock);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Lifts what ends by time, and lets the others try. */
  look(): void {
    const now = this.#options.clock.now();
    let changed = false;
    for (const lock of this.list()) {
      if (lock.locked(now)) continue;
      if (lock.byHand) this.#unset(lock, 'its time is over').catch(() => undefined);
      else if (now - (lock.record.until ?? now) > PROBE_MS)
        this.#unset(lock, 'no mail came to try').catch(() => undefined);
      else if (!this.#trying.has(lock)) {
        this.#trying.add(lock);
        changed = true;
      }
    }
    this.#arm();
    if (changed) this.#options.onChange();
  }

  /** What could go first may wait anywhere, and nobody offered it while the probe was on its way. */
  #nextMayTry(lock: Lock): void {
    lock.probe = undefined;
    setImmediate(this.#options.onChange);
  }

  #keep(lock: Lock): void {
    const before = this.#locks.get(idOf(lock.key));
    if (before) this.#trying.delete(before);
    this.#locks.set(idOf(lock.key), lock);
    const { scope, sender, lane } = lock.record;
    if (scope === 'sender_isp') this.#senders.set(`${sender}\0${lane}`, lock);
  }

  #set(lock: Lock): Promise<void> {
    this.#keep(lock);
    this.#options.report('warn', 'locked', this.#details(lock));
    return this.#changed({
      key: lock.key,
      value: lock.record,
      event: this.#event('lock', lock, lock.record.reason),
    });
  }

  #unset(lock: Lock, reason: string): Promise<void> {
    if (this.#locks.get(idOf(lock.key)) !== lock) return Promise.resolve();
    this.#locks.delete(idOf(lock.key));
    this.#trying.delete(lock);
    const { sender, lane } = lock.record;
    if (lock.record.scope === 'sender_isp') this.#senders.delete(`${sender}\0${lane}`);
    this.#options.report('info', 'unlocked', { ...this.#details(lock), reason });
    return this.#changed({ key: lock.key, value: undefined, event: this.#event('unlock', lock, reason) });
  }

  #changed(change: Parameters<Queue['control']>[0]): Promise<void> {
    const stored = this.#options.queue.control(change);
    stored.catch((error: unknown) =>
      this.#options.report('error', 'a lock could not be stored; it holds until a restart', { error }),
    );
    this.#arm();
    this.#options.onChange();
    return stored;
  }

  #event(type: 'lock' | 'unlock', { record }: Lock, reason: string): EventDraft {
    const { node, sender, lane, isp, until, reply, rule } = record;
    return {
      type,
      time: this.#options.clock.now(),
      ...(node !== undefined && { node }),
      ...(sender !== undefined && { sender }),
      ...(isp !== undefined && { isp }),
      ...(lane?.startsWith('mx:') && { mx: lane.slice('mx:'.length) }),
      reason: rule === undefined ? reason : `${rule}: ${reason}`,
      ...(type === 'lock' && until !== undefined && { until: new Date(until).toISOString() }),
      ...(reply && { reply }),
    };
  }

  #details({ id, record }: Lock): Readonly<Record<string, unknown>> {
    const { scope, node, sender, lane, isp, rule } = record;
    return { lock: id, scope, node, sender, lane, isp, rule };
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const now = this.#options.clock.now();
    const ends = this.list().map((lock) =>
      this.#trying.has(lock) ? Infinity : (lock.record.until ?? Infinity),
    );
    if (this.#locks.size === 0) return;
    const ms = Math.min(Math.max(0, Math.min(...ends) - now), LONGEST_TIMER_MS);
    this.#timer = setTimeout(() => this.look(), ms);
    this.#timer.unref();
  }
}

const idOf = (key: readonly string[]): string => key.join('\0');

function partsOf(scope: LockRuleConfig['scope'], { node, sender, lane, isp }: LockPlace): Partial<LockPlace> {
  if (scope === 'node') return { node };
  const where = { lane, isp };
  if (scope === 'isp') return where;
  return scope === 'node_isp' ? { node, ...where } : { sender, ...where };
}
