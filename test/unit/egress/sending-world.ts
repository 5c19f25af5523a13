/**
 * The sending side as a whole: the real queue on a store without a disk, real sessions to receivers on loopback
 * addresses, a DNS that is only data. When the test is over everything is ended, and the store must pass the audit.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Config } from '../../../src/config/index.ts';
import { type Clock, type Event, systemClock, TERMINAL } from '../../../src/core/index.ts';
import { createTokens } from '../../../src/fbl/index.ts';
import { type DkimKey, KeyRing } from '../../../src/mta/dkim/index.ts';
import { createMxPlanner } from '../../../src/mta/dns/index.ts';
import { Classifier } from '../../../src/bounce/index.ts';
import { Egress, type EgressSettings, RoutePlanner } from '../../../src/mta/egress/index.ts';
import { type DeliveryRecord, type MessageRecord, openMemoryKv, Queue } from '../../../src/queue/index.ts';
import type { Kv } from '../../../src/queue/kv.ts';
import { startSink, type Sink, type SinkOptions, type ZoneEntry } from '../../../src/testbed/index.ts';
import { auditStore } from '../../support/audit.ts';
import { createFakeDns, type FakeDns } from '../../support/fake-dns.ts';
import { configured, type Settings } from './configured.ts';

const DEADLINE_MS = 60_000;
const HOUR = 3_600_000;

let addresses = 0;
/** A loopback address that no other test of this process uses. */
export const loopback = (): string =>
  `127.${1 + (process.pid % 60)}.${(process.pid >> 6) % 250}.${++addresses}`;

/** A receiver that goes with the test. Those of one test may share a port on addresses of their own, as MX hosts do. */
export async function receiver(t: TestContext, options: SinkOptions = {}, port = 0): Promise<Sink> {
  const sink = await startSink({ listen: [{ host: loopback(), port }], keep: 1_000, ...options });
  t.after(() => sink.close());
  return sink;
}

export const hostOf = (sink: Sink): string => sink.addresses[0]!.address;

/** A clock that runs; time can pass at once, and the wall clock can be set. */
export class RunningClock implements Clock {
  #ahead = 0;
  #stepped = 0;
  readonly boot = { id: 'this', originMs: 0 };
  now = (): number => systemClock.now() + this.#ahead + this.#stepped;
  mono = (): number => systemClock.mono() + this.#ahead;

  /** Sets the wall clock forward or back. */
  step(ms: number): void {
    this.#stepped += ms;
  }

  advance(ms: number): void {
    this.#ahead += ms;
  }
}

export interface WorldOptions {
  readonly settings?: Settings;
  readonly zones?: Record<string, ZoneEntry>;
  readonly kv?: Kv;
  readonly clock?: Clock;
  readonly keys?: readonly DkimKey[];
  /** Reports of the level `error` are expected; otherwise one fails the test. */
  readonly faults?: boolean;
}

export interface Report {
  readonly level: string;
  readonly text: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export type MailWish = Partial<MessageRecord> &
  Partial<Pick<DeliveryRecord, 'sender' | 'node' | 'override' | 'wakeAt' | 'expiresAt' | 'vars'>> & {
    readonly text?: string | Buffer;
  };

const CONTENT = 'From: Shop <news@shop.test>\r\nTo: you\r\nSubject: s\r\n\r\nHello.\r\n';
/** One node, one sender without limits, quick retries. What a test gives replaces a key as a whole. */
const SETTINGS: Settings = {
  dns: { allow_loopback_mx: true },
  egress: { timeouts: { idle: '200ms' } },
  nodes: [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test' }],
  retry_rules: [{ name: 'quick', attempts: 100, type: 'fixed', interval: '20ms' }],
  strategies: [{ name: 'free', concurrent_connections: 5, messages_per_connection: 100 }],
  senders: [{ name: 'promo', nodes: [{ node: 'n1' }], retry: 'quick', strategies: { default: 'free' } }],
};

/** In place of the one node. */
export const TWO_NODES: Settings = {
  nodes: [
    { name: 'n1', address: '127.0.0.1', hostname: 'n1.test' },
    { name: 'n2', address: '127.0.0.2', hostname: 'n2.test' },
  ],
  senders: [
    {
      name: 'promo',
      nodes: [{ node: 'n1' }, { node: 'n2' }],
      retry: 'quick',
      strategies: { default: 'free' },
    },
  ],
};

export class World {
  readonly queue: Queue;
  readonly dns: FakeDns;
  /** May be changed while the test runs. */
  readonly zones: Record<string, ZoneEntry>;
  readonly reports: Report[] = [];
  readonly #options: WorldOptions;
  readonly #kv: Kv;
  readonly #clock: Clock;
  readonly egress: Egress;
  #config: Config;
  #stopped = false;
  readonly #watchers = new Set<() => void>();

  constructor(queue: Queue, kv: Kv, options: WorldOptions) {
    this.queue = queue;
    this.#kv = kv;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.zones = options.zones ?? {};
    this.dns = createFakeDns(this.zones, { clock: this.#clock });
    this.#config = configured({ ...SETTINGS, ...options.settings });
    const report = (level: string, text: string, details: Report['details']): void => {
      this.reports.push({ level, text, details });
      for (const look of [...this.#watchers]) look();
    };
    this.egress = new Egress({
      queue,
      settings: this.#settings(),
      planner: this.#planner(),
      tokens: createTokens([{ id: '1', key: Buffer.alloc(32, 7) }]),
      clock: this.#clock,
      random: Math.random,
      report,
    });
  }

  /** Accepts a message with a delivery for each recipient; gives its number. */
  async send(to: string | readonly string[], wish: MailWish = {}): Promise<number> {
    const {
      text = CONTENT,
      sender = 'promo',
      node = 'n1',
      override,
      vars,
      wakeAt,
      expiresAt,
      ...facts
    } = wish;
    const number = this.queue.nextNumber();
    const now = this.#clock.now();
    const content = typeof text === 'string' ? Buffer.from(text) : text;
    const message: MessageRecord = {
      from: 'bounce@shop.test',
      fromAddress: 'news@shop.test',
      fromDomain: 'shop.test',
      kind: 'raw',
      bytes: content.length,
      eightBit: content.some((byte) => byte > 127),
      dotLine: content.includes('\n.'),
      smtpUtf8: false,
      createdAt: now,
      band: 'standard',
      ...facts,
    };
    const times = { wakeAt: wakeAt ?? now, expiresAt: expiresAt ?? now + 24 * HOUR };
    const deliveries = (typeof to === 'string' ? [to] : to).map((recipient, i) => ({
      index: i + 1,
      record: { recipient, sender, node, attempts: [], override, vars, ...times },
    }));
    await this.queue.accept({ number, message, content, deliveries });
    return number;
  }

  events(): Event[] {
    return [...this.queue.state.journal.events(0)].filter(({ delivery_id: id }) => id !== undefined);
  }

  /** Events of one recipient after its acceptance: `soft_bounce 450`, `delivered 250`, `undelivered lifetime`. */
  story(recipient: string): string[] {
    return this.events()
      .filter((event) => event.recipient === recipient && event.type !== 'accepted')
      .map(({ type, reason, reply }) =>
        [type, reason ?? reply?.code].filter((one) => one !== undefined).join(' '),
      );
  }

  /** Resolves when the events meet the condition; it is looked at with every event that comes. */
  async until(condition: (events: readonly Event[]) => boolean, what = 'the events'): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const seen: Event[] = [];
    if (condition(seen)) return;
    for await (const event of this.queue.follow(0, signal)) {
      if (event.delivery_id !== undefined) seen.push(event);
      if (condition(seen)) return;
    }
    const waiting = this.egress.nodes().map(({ name, state, lanes }) => ({ name, state, lanes }));
    assert.fail(`not in time: ${what}; ${JSON.stringify({ last: seen.slice(-3), waiting })}`);
  }

  /** Resolves when so many reports of the level `error` match. */
  async reported(pattern: RegExp, count = 1): Promise<readonly Report[]> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const matching = (): Report[] =>
      this.reports.filter(({ level, text }) => level === 'error' && pattern.test(text));
    const look = (): void => void (matching().length >= count && resolve());
    const timer = setTimeout(() => reject(new Error(`not reported in time: ${pattern}`)), DEADLINE_MS);
    this.#watchers.add(look);
    look();
    await promise.finally(() => this.#watchers.delete(look));
    clearTimeout(timer);
    return matching();
  }

  /** Resolves when so many deliveries have ended. */
  ended(count: number): Promise<void> {
    return this.until(
      (events) => events.filter(({ type }) => TERMINAL.has(type)).length >= count,
      `${count} ends`,
    );
  }

  /** A reload. */
  async configure(settings: Settings): Promise<void> {
    this.#config = configured({ ...SETTINGS, ...this.#options.settings, ...settings });
    await this.egress.configure(this.#settings(), this.#planner());
  }

  async stop(deadlineMs = 5_000): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.egress.stop(deadlineMs);
    await this.queue.close();
  }

  audit(): void {
    assert.deepEqual(auditStore(this.#kv), []);
    const wrong = this.reports.filter(({ level }) => level === 'error');
    if (!this.#options.faults) assert.deepEqual(wrong, []);
  }

  #settings(): EgressSettings {
    const keys = new KeyRing(this.#options.keys ?? []);
    const senders = new Map(this.#config.senders.map((config) => [config.name, { config, keys }]));
    return { config: this.#config, senders, classifier: new Classifier() };
  }

  #planner(): RoutePlanner {
    const { resolver } = this.dns;
    const clock = this.#clock;
    const mx = createMxPlanner({ resolver, clock, selfAddresses: new Set(), allowLoopback: true });
    return new RoutePlanner({
      mx,
      resolver,
      clock,
      routes: this.#config.routes,
      port: this.#config.egress.port,
    });
  }
}

/** A world that sends; `sink` as the one place where all mail goes. */
export async function openWorld(
  t: TestContext,
  options: WorldOptions & { sink?: Sink } = {},
): Promise<World> {
  const { sink, settings, ...rest } = options;
  const kv = options.kv ?? openMemoryKv();
  const routes = sink && { routes: [routeTo(sink)] };
  const reports: string[] = [];
  const { queue } = await Queue.open({
    kv,
    clock: options.clock ?? systemClock,
    report: (level, text) => void (level === 'error' && reports.push(text)),
  });
  const world = new World(queue, kv, { ...rest, settings: { ...routes, ...settings } });
  t.after(async () => {
    world.egress.kill();
    await world.stop(0);
    world.audit();
    assert.deepEqual(reports, []);
  });
  await world.egress.start();
  return world;
}

export const routeTo = (sink: Sink, domain = '*'): Settings => ({
  domain,
  hosts: [`${hostOf(sink)}:${sink.port}`],
  tls: 'none',
});
