/**
 * The whole MTA, put together: the one place that knows all parts. `serve` and `demo` run it.
 *
 * Start order: configuration, lock, secrets, store (recovery), sending side, doors; a door that cannot be opened
 * ends the start and undoes the rest. Stop order is the other way round, so nothing is accepted that could not be
 * stored, and every outcome is recorded before the store closes.
 */
import type { Logger } from 'pino';
import {
  type ControlServer,
  createControlServer,
  createMetrics,
  createStatusServer,
  type Metrics,
  type Reloaded,
  Slices,
  type StatusServer,
} from '../api/index.ts';
import { Alerts } from '../alerts/index.ts';
import { Dashboard } from '../dashboard/index.ts';
import { type Config, diffConfig } from '../config/index.ts';
import { err, ok, type Result, systemClock } from '../core/index.ts';
import type { Tokens } from '../fbl/index.ts';
import type { Resolver } from '../mta/dns/index.ts';
import { Egress } from '../mta/egress/index.ts';
import { type InjectionDoor, type InjectionRules, QueueInjector } from '../mta/ingress/index.ts';
import { type Commit, CommitTimes, type Pressure, type Queue } from '../queue/index.ts';
import { Router } from '../routing/index.ts';
import {
  type Current,
  load,
  type Lock,
  openQueue,
  plannerOf,
  reporter,
  resolverOf,
  takeDataDir,
} from './assembly.ts';
import { bootClock } from './boot-clock.ts';
import { Chores } from './chores.ts';
import { type DeliveryLog, deliveryLogOf } from './delivery-log.ts';
import { openDoors } from './doors.ts';
import { createInbound, type Inbound } from './inbound.ts';
import { readinessOf } from './readiness.ts';
import { loadAccessTokens, loadTokens } from './secrets.ts';
import { watchStart } from './start-watch.ts';
import { Uptime } from './uptime.ts';
import { version } from './version.ts';
import { auditInChild } from './walk.ts';

export interface ServiceOptions {
  readonly configFile: string;
  readonly log: Logger;
  /** Gives the start up, up to the moment when the store is open. */
  readonly ending?: AbortSignal;
}

export class Service {
  readonly #uptime = new Uptime(systemClock);
  readonly #options: ServiceOptions;
  readonly #lock: Lock;
  readonly #queue: Queue;
  readonly #pressure: Pressure;
  readonly #commitTimes: CommitTimes;
  readonly #egress: Egress;
  readonly #injector: QueueInjector;
  readonly #metrics: Metrics;
  readonly #dashboard: Dashboard;
  readonly #alerts: Alerts;
  readonly #deliveryLog: DeliveryLog | undefined;
  readonly #chores: Chores;
  readonly #inbound: Inbound | undefined;
  #resolver: Resolver;
  #current: Current;
  #doors:
    | { readonly control: ControlServer; readonly status: StatusServer; readonly smtp: InjectionDoor }
    | undefined;
  #stopping = false;
  #reloaded: Promise<unknown> = Promise.resolve();

  private constructor(parts: {
    options: ServiceOptions;
    current: Current;
    lock: Lock;
    queue: Queue;
    pressure: Pressure;
    commitTimes: CommitTimes;
    egress: Egress;
    resolver: Resolver;
    metrics: Metrics;
    tokens: Tokens;
    dashboard: Dashboard;
    onCommits: ((commit: Commit) => void)[];
  }) {
    this.#options = parts.options;
    this.#current = parts.current;
    this.#lock = parts.lock;
    this.#queue = parts.queue;
    this.#pressure = parts.pressure;
    this.#commitTimes = parts.commitTimes;
    this.#egress = parts.egress;
    this.#resolver = parts.resolver;
    this.#metrics = parts.metrics;
    this.#dashboard = parts.dashboard;
    this.#alerts = new Alerts({
      queue: parts.queue,
      egress: parts.egress,
      pressure: parts.pressure,
      commitTimes: parts.commitTimes,
      clock: systemClock,
      config: () => this.config.alerts,
      log: parts.options.log,
    });
    this.#deliveryLog = deliveryLogOf(parts.current.config.log, parts.queue.state.journal, parts.options.log);
    parts.onCommits.push((commit) => this.#alerts.onCommit(commit));
    this.#injector = new QueueInjector(this.#injectorOptions(), this.#router());
    this.#inbound = createInbound({
      config: () => this.config,
      classifier: () => this.#current.classifier,
      queue: parts.queue,
      tokens: parts.tokens,
      injector: this.#injector,
      log: parts.options.log,
      counts: parts.metrics,
    });
    this.#chores = new Chores({
      queue: parts.queue,
      pressure: parts.pressure,
      diskIsSlow: () => this.#alerts.diskIsSlow,
      spentLimits: () => parts.egress.spentLimits(),
      onSweep: async (oldest) => {
        await parts.metrics.onSweep(oldest, new Slices());
        await this.#alerts.onSweep(new Slices());
      },
      log: parts.options.log,
      config: () => this.config,
    });
  }

  /** Starts everything, or leaves nothing running. Errors are lines for people, none where `ending` gave it up. */
  static async start(options: ServiceOptions): Promise<Result<Service, readonly string[]>> {
    const current = await load(options.configFile, options.log);
    if (!current.ok) return current;
    const { config } = current.value;
    const lock = await takeDataDir(config.dataDir);
    if (!lock.ok) return lock;
    const commitTimes = new CommitTimes({ ...systemClock, slowMs: slowCommitMs(config) });
    const unwatch = watchStart({ commitTimes, log: options.log });
    try {
      const service = await Service.#assemble(options, current.value, lock.value, commitTimes);
      if (!service.ok) {
        await lock.value.release();
        return service;
      }
      const opened = await service.value.#open();
      if (opened.ok) return service;
      await service.value.stop(0);
      return opened;
    } finally {
      unwatch();
    }
  }

  static async #assemble(
    options: ServiceOptions,
    current: Current,
    lock: Lock,
    commitTimes: CommitTimes,
  ): Promise<Result<Service, readonly string[]>> {
    const { config, senders, classifier } = current;
    const { log, ending } = options;
    const tokens = loadTokens(config.secretFile);
    if (!tokens.ok) return err([tokens.error]);
    const dashboard = new Dashboard();
    const onCommits = [(commit: Commit) => dashboard.onCommit(commit)];
    const onCommit = (commit: Commit): void => onCommits.forEach((tell) => tell(commit));
    const opened = await openQueue({ config, log, commitTimes, onCommit, ending });
    if (!opened.ok) return err([opened.error]);
    if (!opened.value) return err([]);
    const { queue, pressure } = opened.value;
    const resolver = resolverOf(config);
    const egress = new Egress({
      queue,
      settings: { config, senders, classifier },
      planner: plannerOf(config, resolver),
      tokens: tokens.value,
      clock: bootClock(),
      random: Math.random,
      report: reporter(log),
    });
    const { durability } = config;
    const metrics = createMetrics({
      queue,
      pressure,
      commitTimes,
      egress,
      clock: systemClock,
      version,
      durability,
    });
    onCommits.push((commit) => metrics.onCommit(commit));
    return ok(
      new Service({
        options,
        current,
        lock,
        queue,
        pressure,
        commitTimes,
        egress,
        resolver,
        metrics,
        dashboard,
        onCommits,
        tokens: tokens.value,
      }),
    );
  }

  get config(): Config {
    return this.#current.config;
  }

  get queue(): Queue {
    return this.#queue;
  }

  get egress(): Egress {
    return this.#egress;
  }

  /** Reads the configuration again and swaps it, or changes nothing. One at a time, so that the last file read wins. */
  reload(): Promise<Result<Reloaded, readonly string[]>> {
    const reloaded = this.#reloaded.then(() => this.#reload());
    this.#reloaded = reloaded.catch(() => undefined);
    return reloaded;
  }

  /** The same, written down in the log of operators. */
  async reloadBySignal(): Promise<void> {
    const operator = { kind: 'signal', name: 'SIGHUP' } as const;
    const log = this.#queue.operatorLog;
    const entry = await log.begin({ operator, action: 'reload', selector: {} }).catch(() => undefined);
    const reloaded = await this.reload();
    if (entry === undefined) return;
    const result = reloaded.ok
      ? ({ result: 'done' } as const)
      : ({ result: 'refused', message: reloaded.error[0] } as const);
    await log.end(entry, result).catch(() => undefined);
  }

  async #reload(): Promise<Result<Reloaded, readonly string[]>> {
    if (this.#stopping) return err(['the server is ending']);
    const { configFile, log } = this.#options;
    const next = await load(configFile, log, this.#current);
    if (!next.ok) {
      log.error({ errors: next.error }, 'the configuration was not reloaded, the running one stays');
      return next;
    }
    const diff = diffConfig(this.config, next.value.config);
    this.#current = next.value;
    this.#commitTimes.slowMs = slowCommitMs(this.config);
    this.#queue.state.endedToday.timezone = this.config.timezone;
    const before = this.#resolver;
    this.#resolver = resolverOf(this.config);
    await this.#egress.configure(this.#current, plannerOf(this.config, this.#resolver));
    before.close();
    this.#injector.configure(this.#injectorOptions(), this.#router());
    await this.#doors?.smtp.configure(this.#injectionRules());
    log.info({ ...diff }, 'configuration reloaded');
    const reason =
      diff.changed.length === 0 ? 'reloaded without a change' : `changed: ${diff.changed.join(', ')}`;
    await this.#queue
      .announce({ type: 'config', time: systemClock.now(), reason: reason.slice(0, 1000) })
      .catch(() => undefined);
    return ok(diff);
  }

  /** Ends in order: doors, sending (transactions may take `drainMs`), store, lock. */
  async stop(drainMs: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#chores.stop();
    await this.#alerts.stop();
    // Both at once: a client that dawdles must not make the transactions under way wait, nor the end come later.
    await Promise.all([
      this.#doors?.smtp.close({ drainMs }),
      this.#inbound?.close(drainMs),
      this.#doors?.control.close(),
      this.#doors?.status.close(),
      this.#egress.stop(drainMs),
    ]);
    // Mail that was accepted meanwhile has been given back; now that is durable too.
    await this.#egress.stop(0);
    this.#resolver.close();
    await this.#deliveryLog?.stop();
    this.#metrics.close();
    await this.#queue.close();
    this.#pressure.close();
    await this.#lock.release();
  }

  /** Cuts open sessions, in and out, so that a `stop` under way ends soon. */
  hurry(): void {
    void this.#doors?.smtp.close({ drainMs: 0 });
    this.#egress.kill();
  }

  async #open(): Promise<Result<undefined, readonly string[]>> {
    const { log } = this.#options;
    await this.#egress.start();
    const doors = await openDoors({
      config: this.config,
      injector: this.#injector,
      rules: this.#injectionRules(),
      queue: this.#queue,
      onReceiverRestart: () => this.#metrics.onReceiverRestart(),
      log,
      control: createControlServer(this.#apiDependencies(), loadAccessTokens(this.config)),
      status: createStatusServer(this.#apiDependencies(), this.#dashboard),
    });
    this.#doors = doors.opened;
    const problems = [...doors.problems, ...((await this.#inbound?.listen()) ?? [])];
    if (problems.length > 0) return err(problems);
    this.#chores.start();
    this.#alerts.start();
    this.#deliveryLog?.start();
    this.#queue.operations.start();
    return ok(undefined);
  }

  #apiDependencies(): Parameters<typeof createControlServer>[0] {
    const { configFile, log } = this.#options;
    return {
      queue: this.#queue,
      injector: this.#injector,
      egress: this.#egress,
      clock: systemClock,
      metrics: this.#metrics,
      maxMessageBytes: this.config.smtp.maxMessageBytes,
      reload: () => this.reload(),
      preview: (request) => this.#router().preview(request),
      audit: (expected) => auditInChild(this.config.dataDir, expected),
      targets: () => ({ nodes: this.config.nodes.map(({ name }) => name), senders: this.config.senders }),
      log,
      status: () => ({
        version,
        hostname: this.config.hostname,
        ...this.#uptime.figures(),
        durability: this.config.durability,
        commitTime: this.#commitTimes.measure(),
        ...readinessOf({
          nodes: this.#egress.nodeFigures(),
          pressure: this.#pressure,
          smtpDown: this.#doors?.smtp.down,
          stopping: this.#stopping,
        }),
        alerts: this.#alerts.active(),
        flow: (walk) => this.#alerts.flow(walk),
        dataDir: this.config.dataDir,
        configFile,
      }),
    };
  }

  #injectorOptions(): ConstructorParameters<typeof QueueInjector>[0] {
    const onError = (error: unknown): void =>
      this.#options.log.error({ err: error }, 'a message could not be stored');
    return {
      queue: this.#queue,
      pressure: this.#pressure,
      clock: systemClock,
      onError,
      ...this.#messageLimits(),
      repeatWindowMs: this.config.idempotencyWindowMs,
      policies: this.config.policies,
    };
  }

  #messageLimits(): Pick<InjectionRules, 'hostname' | 'maxMessageBytes' | 'maxRecipients'> {
    const { hostname, smtp } = this.config;
    return { hostname, maxMessageBytes: smtp.maxMessageBytes, maxRecipients: smtp.maxRecipients };
  }

  #injectionRules(): InjectionRules {
    return { ...this.#current.access, ...this.#messageLimits() };
  }

  #router(): Router {
    const { control } = this.#egress;
    return new Router(
      this.config,
      (node) => this.#egress.isUp(node),
      (sender, isp) => control.isLocked(sender, isp),
    );
  }
}

const slowCommitMs = ({ alerts }: Config): number => alerts.slowCommitMs ?? Infinity;
