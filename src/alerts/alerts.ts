/**
 * Alerts for a site that has nothing else to tell it: looked for every few seconds, told once as an event and in the
 * log, and once more when they are over. Those that are firing are kept in the store with their event, so a restart
 * neither repeats one nor forgets its end.
 */
import type { AlertsConfig } from '../config/index.ts';
import { type AlertName, type Clock, formatAge, withoutNames } from '../core/index.ts';
import type { EgressView, LaneStatus, Lock } from '../mta/egress/index.ts';
import {
  type CommitTimes,
  type EventDraft,
  journalLags,
  oldestOf,
  oldestQueued,
  type Pressure,
  type Queue,
  type QueueHead,
  type Row,
  rowName,
  worstLag,
} from '../queue/index.ts';
import { commitTime, type Finding, judge, type Measured } from './judge.ts';
import { Traffic } from './traffic.ts';
import type { Counts } from './time-ring.ts';

const LOOK_MS = 5_000;
const KEY = 'alert';
const MOST_LOCKS = 3;

export interface ActiveAlert {
  readonly name: AlertName;
  readonly isp?: string | undefined;
  readonly node?: string | undefined;
  /** Wall times (ms): since when, and when its cause was seen last, if that is gone. */
  readonly since: number;
  readonly goneSince?: number | undefined;
  readonly text: string;
}

/** What an operator wants to know first: does mail go out, and what waits where, for how long, and why. */
export interface Flow {
  /** Wall time (ms) since which the sums were counted. */
  readonly since: number;
  readonly sums: Counts;
  readonly lastDelivered: number | undefined;
  /** ISPs with mail that may go, where nothing was taken for longest first. */
  readonly waiting: readonly WaitingAt[];
}

export interface WaitingAt {
  readonly isp: string;
  readonly count: number;
  /** Wall times (ms): the oldest acceptance, and when the ISP last took mail (or the start). */
  readonly oldest: number;
  readonly lastDelivered: number;
  readonly why: string | undefined;
}

/** Walks through something long, in pieces where others must have their turns. */
export interface Walk {
  each<T>(pieces: Iterable<T>, work: (piece: T) => void): Promise<void>;
}

export interface AlertsOptions {
  readonly queue: Pick<Queue, 'control' | 'controls' | 'state'>;
  readonly egress: Pick<EgressView, 'nodeFigures' | 'lanes' | 'ispOf' | 'whyWaiting'> & {
    readonly control: Pick<EgressView['control'], 'locks'>;
  };
  readonly pressure?: Pick<Pressure, 'ofDisk'>;
  readonly commitTimes?: Pick<CommitTimes, 'measure'>;
  readonly clock: Clock;
  readonly config: () => AlertsConfig;
  readonly log: {
    warn(details: object, text: string): void;
    info(details: object, text: string): void;
    error(details: object, text: string): void;
  };
}

interface Firing extends Omit<ActiveAlert, 'goneSince'> {
  /** Wall time (ms) at which its cause was last seen; not stored. */
  readonly seen: number;
}

interface Waiting {
  count: number;
  oldest: number;
  /** The queue that is due for longest, if one is. */
  readonly first: QueueHead | undefined;
  readonly nodes: Set<string>;
  readonly senders: Set<string>;
}

export class Alerts {
  readonly #options: AlertsOptions;
  readonly #firing = new Map<string, Firing>();
  readonly #downSince = new Map<string, number>();
  /** As of the last sweep. */
  #waiting: ReadonlyMap<string, Waiting> = new Map();
  #traffic: Traffic;
  /** Wall ms. */
  #lookedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #telling: Promise<void> = Promise.resolve();

  constructor(options: AlertsOptions) {
    this.#options = options;
    this.#traffic = new Traffic(options.config(), options.clock.now());
    for (const { key, value } of options.queue.controls()) {
      if (key[0] !== KEY) continue;
      const alert = { ...(value as Firing), seen: options.clock.now() };
      this.#firing.set(idOf(alert), alert);
      if (alert.isp !== undefined) this.#traffic.know(alert.isp);
    }
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Resolves when what was told is stored. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#telling;
  }

  active(): readonly ActiveAlert[] {
    return [...this.#firing.values()]
      .map(({ name, isp, node, since, text, seen }) => {
        const goneSince = seen < this.#lookedAt ? seen : undefined;
        return { name, isp, node, since, goneSince, text };
      })
      .sort((a, b) => a.since - b.since);
  }

  /** Only a commit tells that the disk is quick again. */
  get diskIsSlow(): boolean {
    return this.#firing.has(idOf({ name: 'slow_disk' }));
  }

  /** To be told of each group commit. */
  onCommit({ events }: { readonly events: readonly EventDraft[] }): void {
    const ispOf = (domain: string): string | undefined => this.#options.egress.ispOf(domain);
    for (const event of events) this.#traffic.add(event, ispOf);
  }

  /** To be told after each `queue.sweep()`; the next sweep waits for it. */
  async onSweep(walk: Walk): Promise<void> {
    this.#waiting = await this.#count(walk);
  }

  /** What waits is counted now, as the sums that are shown beside it are. */
  async flow(walk: Walk): Promise<Flow> {
    const waiting = await this.#count(walk);
    return {
      ...this.#traffic.total(this.#options.clock.now()),
      waiting: this.#waitingAt(waiting).sort((a, b) => silentSince(a) - silentSince(b)),
    };
  }

  async #count(walk: Walk): Promise<ReadonlyMap<string, Waiting>> {
    const { schedule, counters } = this.#options.queue.state;
    const waits = new Waits(this.#options);
    await walk.each(schedule.heads(), (head) => waits.head(head));
    await walk.each(counters.rows(), (row) => waits.row(row));
    return waits.byIsp;
  }

  /** Compares what is with what was told. */
  look(): void {
    const config = this.#options.config();
    const now = this.#options.clock.now();
    this.#lookedAt = now;
    const { periods } = this.#traffic;
    if (periods.periodMs !== config.periodMs || periods.complaintPeriodMs !== config.complaintPeriodMs)
      this.#countAnew(config, now);
    const found = new Map(judge(this.#measure(now), config).map((finding) => [idOf(finding), finding]));
    for (const [id, finding] of found) this.#saw(id, finding, now);
    for (const [id, alert] of this.#firing)
      if (!found.has(id) && now - alert.seen >= config.clearAfterMs) this.#resolve(id, alert, now);
  }

  #countAnew(config: AlertsConfig, now: number): void {
    this.#traffic = new Traffic(config, now);
    for (const { isp } of this.#firing.values()) if (isp !== undefined) this.#traffic.know(isp);
  }

  #saw(id: string, { name, isp, node, verdict, text }: Finding, now: number): void {
    const known = this.#firing.get(id);
    if (known) this.#firing.set(id, { ...known, seen: now, text: verdict === 'holds' ? text : known.text });
    else if (verdict === 'holds') {
      const alert: Firing = { name, isp, node, text, since: now, seen: now };
      this.#firing.set(id, alert);
      this.#options.log.warn({ alert: name, isp, node }, `alert: ${text}`);
      this.#tell(alert, 'firing', text);
    }
  }

  #resolve(id: string, alert: Firing, now: number): void {
    this.#firing.delete(id);
    const { name, isp, node } = alert;
    const text = this.#over(alert);
    this.#options.log.info(
      { alert: name, isp, node, since: new Date(alert.since).toISOString(), ms: now - alert.since },
      `alert is ${text}`,
    );
    this.#tell(alert, 'resolved', text);
  }

  #over({ name, text }: Firing): string {
    const { count, ms } = (name === 'slow_disk' && this.#options.commitTimes?.measure()) || {
      count: 0,
      ms: 0,
    };
    return count === 0 ? `over: ${text}` : `over: a commit takes ${commitTime(ms / count)} again`;
  }

  /** One after the other, so that the store ends with what was told last. */
  #tell({ name, isp, node, since, text }: Firing, state: 'firing' | 'resolved', reason: string): void {
    const { queue, clock, log } = this.#options;
    const labels = { ...(isp !== undefined && { isp }), ...(node !== undefined && { node }) };
    const event: EventDraft = { type: 'alert', time: clock.now(), ...labels, reason, alert: { name, state } };
    const value = state === 'firing' ? { name, ...labels, since, text } : undefined;
    this.#telling = this.#telling
      .then(() => queue.control({ key: [KEY, name, isp ?? node ?? ''], value, event }))
      .catch((error: unknown) => log.error({ err: error, alert: name }, 'an alert could not be stored'));
  }

  #measure(now: number): Measured {
    const { egress, pressure, queue } = this.#options;
    const down = egress.nodeFigures().filter(({ state }) => state === 'down');
    for (const { name } of down) if (!this.#downSince.has(name)) this.#downSince.set(name, now);
    for (const name of this.#downSince.keys())
      if (!down.some((node) => node.name === name)) this.#downSince.delete(name);
    return {
      now,
      since: this.#traffic.since,
      shares: this.#traffic.shares(now),
      waiting: this.#waitingAt(),
      down: down.map(({ name, address }) => ({
        node: name,
        since: this.#downSince.get(name)!,
        why: `${address} is not on this machine; bring the address up`,
      })),
      lag: worstLag(journalLags(queue.state.journal, now)),
      disk: pressure?.ofDisk,
      commits: this.#options.commitTimes?.measure(),
    };
  }

  /** Why is looked for only when somebody reads it: hundreds of ISPs may wait, each with a lane at every node. */
  #waitingAt(waiting = this.#waiting): WaitingAt[] {
    const { egress, clock } = this.#options;
    return [...waiting].map(([isp, mail]) => ({
      isp,
      count: mail.count,
      oldest: mail.oldest,
      lastDelivered: this.#traffic.lastDelivered(isp),
      get why() {
        const { first } = mail;
        const waits = first && egress.whyWaiting(first.node, first.domain, first);
        const locks = egress.control.locks().filter(({ record }) => stops(record, isp, mail));
        return whyOf({ lanes: [...egress.lanes({ isp })], waits, locks, now: clock.now() });
      },
    }));
  }
}

/** Mail that may go, by ISP: what an operator holds, and what is for later, is not stuck. First the queues, then the rows. */
class Waits {
  readonly byIsp = new Map<string, Waiting>();
  readonly #options: Pick<AlertsOptions, 'queue' | 'egress'>;
  readonly #now: number;
  /** No part is older than the whole. */
  readonly #oldest: number;
  /** Rows with something due. */
  readonly #due = new Set<string>();
  /** Of each ISP what is due for longest. */
  readonly #first = new Map<string, QueueHead>();

  constructor(options: AlertsOptions) {
    this.#options = options;
    this.#now = options.clock.now();
    this.#oldest = oldestQueued(options.queue.state) ?? Infinity;
  }

  head(head: QueueHead): void {
    if (head.wakeAt > this.#now) return;
    this.#due.add(rowName(head));
    const isp = this.#ispOf(head.domain);
    const first = this.#first.get(isp);
    if (!first || head.wakeAt < first.wakeAt) this.#first.set(isp, head);
  }

  row(row: Readonly<Row>): void {
    const { queue } = this.#options;
    const queued = row.new + row.retry;
    const count = queued - queue.state.schedule.heldOf(row, queued - row.proc);
    if (count <= 0 || (row.retry === 0 && row.proc === 0 && !this.#due.has(rowName(row)))) return;
    const isp = this.#ispOf(row.domain);
    let waiting = this.byIsp.get(isp);
    if (!waiting) {
      const places = { nodes: new Set<string>(), senders: new Set<string>() };
      this.byIsp.set(isp, (waiting = { count: 0, oldest: Infinity, first: this.#first.get(isp), ...places }));
    }
    waiting.count += count;
    waiting.nodes.add(row.node);
    waiting.senders.add(row.sender);
    waiting.oldest = Math.min(waiting.oldest, Math.max(this.#oldest, oldestOf(row)));
  }

  #ispOf(domain: string): string {
    return this.#options.egress.ispOf(domain) ?? 'unresolved';
  }
}

const silentSince = ({ oldest, lastDelivered }: WaitingAt): number => Math.max(oldest, lastDelivered);

const idOf = ({ name, isp, node }: Pick<ActiveAlert, 'name' | 'isp' | 'node'>): string =>
  `${name} ${isp ?? node ?? ''}`;

/** Whether mail to the ISP waits where the lock is. */
const stops = (
  { node, sender, isp, lane }: Lock['record'],
  to: string,
  { nodes, senders }: Waiting,
): boolean =>
  (isp ?? lane ?? to) === to &&
  (node === undefined || nodes.has(node)) &&
  (sender === undefined || senders.has(sender));

interface Reasons {
  readonly lanes: readonly LaneStatus[];
  /** What the longest due queue waits for. */
  readonly waits: string | undefined;
  readonly locks: readonly Lock[];
  readonly now: number;
}

/** Of a lock that stops only a part of the mail of no ISP. */
const hostsOf = ({ lane }: Lock['record']): string | undefined =>
  lane?.startsWith('mx:') ? lane : undefined;

/**
 * Why nothing goes to an ISP: what its longest due queue waits for (its campaign may have a limit), else what its lanes
 * do; the locks, which may keep the rest; and the last thing that went wrong, with its age: mail may have been taken
 * since.
 */
function whyOf({ lanes, waits, locks, now }: Reasons): string | undefined {
  const told = locks.slice(0, MOST_LOCKS).map((lock) => ({ place: lock.record, text: lock.text(now) }));
  const waiting = waits ?? lanes.find((lane) => lane.waiting !== undefined)?.waiting;
  const parts = told.map(({ place, text }) =>
    [place.node ?? place.sender, hostsOf(place), text].filter(Boolean).join(': '),
  );
  // With its place it says more.
  if (waiting !== undefined && !told.some(({ text }) => waiting.includes(text))) parts.unshift(waiting);
  if (locks.length > told.length) parts.push(`${locks.length - told.length} more locks`);
  const errors = lanes.flatMap(({ lastError }) => lastError ?? []).sort((a, b) => b.at - a.at);
  const [last] = errors;
  // A lock says already what the receiver said.
  if (last && !parts.some((part) => part.includes(last.text)))
    parts.push(`${formatAge(now - last.at)} ago: ${last.text}`);
  return parts.length === 0 ? undefined : withoutNames(parts.join('; '));
}
