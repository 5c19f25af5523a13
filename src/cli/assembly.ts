/**
 * Makes the parts of the service from a configuration: what a start and a reload have in common, and what only a
 * start does. Every function that can fail says why in lines for people.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import type { Logger } from 'pino';
import { Classifier } from '../bounce/index.ts';
import { type Config, formatProblem, loadConfig } from '../config/index.ts';
import { err, ok, type Result, systemClock } from '../core/index.ts';
import { createMxPlanner, createResolver, type Resolver, systemServers } from '../mta/dns/index.ts';
import { RoutePlanner, type Sender } from '../mta/egress/index.ts';
import type { InjectionAccess } from '../mta/ingress/index.ts';
import {
  type CommitTimes,
  lockInstance,
  lookAtStore,
  oldestQueued,
  openLmdbKv,
  Pressure,
  Queue,
  type QueueOptions,
  removeCutCompact,
  SendingFile,
  STORE_FILE,
  withKillPoint,
} from '../queue/index.ts';
import { bootClock } from './boot-clock.ts';
import { tellLongOpening } from './start-watch.ts';
import { loadSenders, loadUsers } from './secrets.ts';
import { underMark, whyUnopened } from './store-check.ts';

export type Lock = Extract<Awaited<ReturnType<typeof lockInstance>>, { ok: true }>['value'];

/** What a reload replaces as a whole. */
export interface Current {
  readonly config: Config;
  readonly senders: ReadonlyMap<string, Sender>;
  readonly classifier: Classifier;
  readonly access: InjectionAccess;
}

/** Configuration, bounce patterns, DKIM keys and passwords: everything a reload reads. `before` is what it replaces. */
export async function load(
  file: string,
  log: Logger,
  before?: Current,
): Promise<Result<Current, readonly string[]>> {
  const loaded = await loadConfig(file);
  if (!loaded.ok) return err(loaded.error.map(formatProblem));
  const { config, warnings } = loaded.value;
  for (const warning of warnings) log.warn(formatProblem(warning));
  const senders = loadSenders(config);
  const users = loadUsers(config);
  if (!senders.ok || !users.ok)
    return err([...(senders.ok ? [] : senders.error), ...(users.ok ? [] : users.error)]);
  return ok({
    config,
    senders: senders.value,
    classifier: new Classifier({ own: config.bouncePatterns, previous: before?.classifier }),
    access: {
      relayFrom: config.smtp.relayFrom,
      proxyProtocolFrom: config.smtp.proxyProtocolFrom,
      xclientFrom: config.smtp.xclientFrom,
      users: users.value,
    },
  });
}

/** The data directory, made when it is missing and locked against other instances. */
export async function takeDataDir(dataDir: string): Promise<Result<Lock, readonly string[]>> {
  try {
    makeDirectory(dataDir);
  } catch (error) {
    return err([
      `data_dir ${dataDir} cannot be made: ${(error as Error).message}; make it and give this user write access`,
    ]);
  }
  const lock = await lockInstance(dataDir);
  if (lock.ok) return lock;
  const { text, pid } = lock.error;
  return err([pid === undefined ? text : `${text}; stop that one first, or use another data_dir`]);
}

/** As mkdir -p. Node's own `recursive` tries for ever where the parent is there and still gives ENOENT (/proc). */
export function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  if (!existsSync(parent)) makeDirectory(parent);
  mkdirSync(path, { mode: 0o750 });
}

export interface QueueParts {
  readonly config: Config;
  readonly log: Logger;
  readonly commitTimes: CommitTimes;
  readonly onCommit: QueueOptions['onCommit'] & object;
  readonly ending?: AbortSignal | undefined;
}

export interface OpenQueue {
  readonly queue: Queue;
  readonly pressure: Pressure;
}

/**
 * Undefined when `ending` was aborted meanwhile: nothing is open then. What opens and recovers the store is not cut off,
 * it would only be done once more; a walk through the store before that is.
 */
export async function openQueue({
  config,
  log,
  commitTimes,
  onCommit,
  ending,
}: QueueParts): Promise<Result<OpenQueue | undefined, string>> {
  const { dataDir: dir, durability, diskReserveBytes: reserveBytes } = config;
  const clock = bootClock();
  if (!clock.boot)
    log.warn(
      'the start of the machine is not known (/proc/sys/kernel/random/boot_id cannot be read): after a restart limits go by the wall clock',
    );
  try {
    forgetCompact(dir, log);
    const refused = await whyUnopened(dir, { log, ending });
    if (ending?.aborted) return ok(undefined);
    if (refused !== undefined) return err(`the queue in ${dir} cannot be opened: ${refused}`);
    if (lookAtStore(join(dir, STORE_FILE)) === 'missing') log.info({ dataDir: dir }, 'a new queue is made');
    const pressure = new Pressure({ dir, reserveBytes, report: reporter(log) });
    const { queue, recovered } = await underMark(dir, () => {
      const start = clock.mono();
      const store = withKillPoint(openLmdbKv({ dir, durability }), process.env['POSTRIDER_KILL_POINT']);
      tellLongOpening(log, clock.mono() - start);
      return Queue.open({
        kv: pressure.guard(commitTimes.guard(store)),
        clock,
        report: reporter(log),
        sending: new SendingFile(dir, clock.boot?.id),
        timezone: config.timezone,
        onCommit,
      });
    });
    const { queued } = queue.state.counters.sum();
    const oldest = oldestQueued(queue.state);
    log.info(
      { dataDir: dir, durability, queued, ...(oldest && { oldest: new Date(oldest).toISOString() }) },
      'queue opened',
    );
    if (durability === 'process')
      log.warn('durability is `process`: a power cut may lose mail that was acknowledged');
    if (recovered.returned > 0 || recovered.closedBatches > 0) {
      log.warn(
        recovered,
        `the last run ended without closing: ${recovered.possibleDuplicates} of ${recovered.returned} leased deliveries may arrive twice`,
      );
    }
    if (!ending?.aborted) return ok({ queue, pressure });
    await queue.close();
    pressure.close();
    return ok(undefined);
  } catch (error) {
    return err(`the queue in ${dir} cannot be opened: ${(error as Error).message}`);
  }
}

/** A start goes on without: what stays only takes room. */
function forgetCompact(dataDir: string, log: Logger): void {
  try {
    if (removeCutCompact(dataDir))
      log.info({ dataDir }, 'what a compact that was cut off had left is removed');
  } catch (error) {
    log.warn({ dataDir, err: error }, 'what a compact that was cut off has left cannot be removed');
  }
}

export function resolverOf({ dns }: Config): Resolver {
  const servers =
    dns.servers === 'system'
      ? systemServers()
      : dns.servers.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`));
  return createResolver({ servers, timeoutMs: dns.timeoutMs, cacheSize: dns.cacheSize, clock: systemClock });
}

export function plannerOf(config: Config, resolver: Resolver): RoutePlanner {
  const own = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map(({ address }) => address);
  const selfAddresses = new Set([...own, ...config.nodes.map(({ address }) => address)]);
  const mx = createMxPlanner({
    resolver,
    clock: systemClock,
    selfAddresses,
    allowLoopback: config.dns.allowLoopbackMx,
  });
  return new RoutePlanner({
    mx,
    resolver,
    clock: systemClock,
    routes: config.routes,
    port: config.egress.port,
  });
}

export const reporter =
  (log: Logger) =>
  (
    level: 'debug' | 'info' | 'warn' | 'error',
    text: string,
    { error, ...details }: Readonly<Record<string, unknown>>,
  ): void =>
    log[level]({ ...details, ...(error !== undefined && { err: error }) }, text);
