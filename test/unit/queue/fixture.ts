/** A queue on a store without a disk, a clock that the test turns and a dispatcher that only writes down what it is told. */
import { type Event, messageNumberOf } from '../../../src/core/index.ts';
import type { Kv, Op } from '../../../src/queue/kv.ts';
import {
  type DecidedDelivery,
  type Dispatcher,
  type LeasedDelivery,
  type MessageRecord,
  type NewMessage,
  openMemoryKv,
  type Outcome,
  Queue,
  type QueueHead,
  type Recovered,
} from '../../../src/queue/index.ts';
import type { SlotBounds } from '../../../src/queue/slot-log.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { leaseFrom } from '../../support/queues.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

export class FakeDispatcher implements Dispatcher {
  /** Places per `node domain`; what has none is not claimed. */
  readonly places = new Map<string, number>();
  readonly delivered: LeasedDelivery[] = [];
  readonly wakes: string[] = [];
  /** Queues that it was told to give back, as `node domain`. */
  readonly withdrawn: string[] = [];
  readonly isps = new Map<string, string>();

  claim({ node, domain }: QueueHead): boolean {
    const free = this.places.get(`${node} ${domain}`) ?? 0;
    if (free > 0) this.places.set(`${node} ${domain}`, free - 1);
    return free > 0;
  }

  unclaim({ node, domain }: QueueHead): void {
    this.places.set(`${node} ${domain}`, (this.places.get(`${node} ${domain}`) ?? 0) + 1);
  }

  granted(deliveries: readonly LeasedDelivery[]): void {
    this.delivered.push(...deliveries);
  }

  wake({ node, domain }: QueueHead, wakeAt: number): void {
    this.wakes.push(`${node} ${domain} ${wakeAt}`);
  }

  held(queues: readonly QueueHead[]): void {
    this.withdrawn.push(...queues.map(({ node, domain }) => `${node} ${domain}`));
  }

  ispOf(domain: string): string | undefined {
    return this.isps.get(domain);
  }
}

/** A store whose next commits fail when the test says so: nothing of them is stored. */
export class FaultyKv implements Kv {
  readonly #kv: Kv;
  failures = 0;
  commits = 0;
  #fails: (commits: number) => boolean = () => false;

  constructor(kv: Kv = openMemoryKv()) {
    this.#kv = kv;
  }

  get: Kv['get'] = (table, key) => this.#kv.get(table, key);
  range: Kv['range'] = (table, options) => this.#kv.range(table, options);
  bytes = (): number => this.#kv.bytes();
  close = (): Promise<void> => this.#kv.close();

  /** Which commits fail: told how many there were since it was set. */
  set fails(fails: (commits: number) => boolean) {
    const before = this.commits;
    this.#fails = (commits) => fails(commits - before);
  }

  async commit(ops: readonly Op[]): Promise<void> {
    this.commits++;
    if (this.failures > 0 || this.#fails(this.commits)) {
      this.failures = Math.max(0, this.failures - 1);
      await Promise.resolve();
      throw new Error('the disk is full');
    }
    await this.#kv.commit(ops);
  }
}

export interface Rig {
  /** The store as the queue sees it, and as it is. */
  readonly kv: Kv;
  readonly store: Kv;
  readonly clock: FakeClock;
  readonly queue: Queue;
  readonly dispatcher: FakeDispatcher;
  readonly recovered: Recovered;
  /** What was reported to the operator. */
  readonly reports: { readonly text: string; readonly details: Readonly<Record<string, unknown>> }[];
}

/** Opens a queue; given the store and clock of another rig it is what a restart finds. */
export async function openRig(
  from: {
    readonly kv?: Kv;
    readonly clock?: FakeClock;
    readonly slotBounds?: SlotBounds;
    readonly timezone?: string;
  } = {},
): Promise<Rig> {
  const { kv = openMemoryKv(), clock = createFakeClock(), slotBounds, timezone = 'UTC' } = from;
  const reports: Rig['reports'] = [];
  const report = (_: string, text: string, details: Readonly<Record<string, unknown>>): void =>
    void reports.push({ text, details });
  const { queue, recovered } = await Queue.open({
    kv,
    clock,
    report,
    timezone,
    ...(slotBounds && { slotBounds }),
  });
  const dispatcher = new FakeDispatcher();
  queue.attach(dispatcher);
  return { kv: queue.state.kv, store: kv, clock, queue, dispatcher, recovered, reports };
}

/** The queue after a crash: the object is abandoned, the store is opened again. */
export const crash = (rig: Rig): Promise<Rig> => openRig({ ...rig, kv: rig.store });

export interface Wish extends Partial<Omit<MessageRecord, 'bytes'>> {
  readonly to?: readonly string[];
  readonly node?: string;
  /** When the deliveries may be tried first, and how long they live, from now (ms). */
  readonly delayMs?: number;
  readonly lifetimeMs?: number;
  readonly content?: string;
  readonly open?: boolean;
}

const RECIPIENT = ['a@one.test'];

export function deliveriesFor(rig: Rig, wish: Wish, firstIndex = 1): DecidedDelivery[] {
  const now = rig.clock.now();
  const { to = RECIPIENT, node = 'n1', delayMs = 0, lifetimeMs = DAY } = wish;
  return to.map((recipient, i) => {
    const times = { wakeAt: now + delayMs, expiresAt: now + lifetimeMs };
    return { index: firstIndex + i, record: { recipient, sender: 'promo', node, ...times, attempts: [] } };
  });
}

type Decided = Omit<NewMessage, 'deliveries'> & { readonly deliveries: readonly DecidedDelivery[] };

export function newMessage(rig: Rig, wish: Wish = {}): Decided {
  const {
    to: _to,
    node: _node,
    delayMs: _delay,
    lifetimeMs: _life,
    content = 'Hello',
    open,
    ...facts
  } = wish;
  const message: MessageRecord = {
    from: 'news@shop.test',
    fromAddress: 'news@shop.test',
    fromDomain: 'shop.test',
    kind: 'raw',
    bytes: content.length,
    eightBit: false,
    dotLine: false,
    smtpUtf8: false,
    createdAt: rig.clock.now(),
    band: 'standard',
    ...facts,
  };
  const deliveries = deliveriesFor(rig, wish);
  const batch = open === undefined ? {} : { open };
  return { number: rig.queue.nextNumber(), message, content: Buffer.from(content), deliveries, ...batch };
}

/** Accepts a message and returns its number. */
export async function accept(rig: Rig, wish: Wish = {}): Promise<number> {
  const input = newMessage(rig, wish);
  await rig.queue.accept(input);
  return input.number;
}

/** Leases what is due for a node and domain. */
export const lease = (
  rig: Rig,
  domain = 'one.test',
  { limit = 100, node = 'n1' } = {},
): Promise<readonly LeasedDelivery[]> => leaseFrom(rig.queue, { node, domain, limit });

/** Accepts and leases one delivery. */
export async function acceptLeased(rig: Rig, wish: Wish = {}): Promise<LeasedDelivery> {
  const number = await accept(rig, wish);
  const leased = await lease(rig);
  return leased.find((delivery) => delivery.number === number)!;
}

const reply = (code: number, text: string) => ({ code, text, phase: 'content' }) as const;

export const delivered = (rig: Rig): Outcome => ({
  kind: 'delivered',
  facts: { time: rig.clock.now(), mx: 'mx.one.test', reply: reply(250, 'ok') },
});

export const deferred = (rig: Rig, delayMs = HOUR, node?: string): Outcome => ({
  kind: 'deferred',
  facts: { time: rig.clock.now(), mx: 'mx.one.test', reply: reply(451, 'later') },
  nextAttemptAt: rig.clock.now() + delayMs,
  ...(node === undefined ? {} : { node }),
});

export const failed = (rig: Rig): Outcome => ({
  kind: 'failed',
  type: 'hard_bounce',
  facts: { time: rig.clock.now(), reply: reply(550, 'no such user') },
  attempted: true,
});

/** Ended without an attempt, as an operator or the stop list does it. */
export const dropped = (rig: Rig, reason: 'removed' | 'dropped' | 'stop_list' = 'removed'): Outcome => ({
  kind: 'failed',
  type: 'undelivered',
  reason,
  facts: { time: rig.clock.now() },
  attempted: false,
});

export const events = (rig: Rig, after = 0): Event[] => [...rig.queue.state.journal.events(after)];
export const eventTypes = (rig: Rig, after = 0): string[] => events(rig, after).map(({ type }) => type);

/** The keys of a table, as hex. */
export const keysOf = (kv: Kv, table: Op['table']): string[] =>
  [...kv.range(table, {})].map(({ key }) => key.toString('hex'));

/** The whole store as text: equal texts mean that nothing changed. */
export function dump(kv: Kv, tables: readonly Op['table'][]): string {
  const lines = tables.flatMap((table) =>
    [...kv.range(table, {})].map(
      ({ key, value }) => `${table} ${key.toString('hex')} ${value.toString('hex')}`,
    ),
  );
  return lines.join('\n');
}

export const numberOf = (messageId: string): number => messageNumberOf(messageId)!;
