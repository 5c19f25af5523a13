/**
 * One run: a fresh receiver, a fresh MTA with an empty queue, a fresh generator; some messages to warm up; then the
 * workload. Every message that the receiver does not refuse for good must have arrived once or more, else the run is a
 * failure and yields no figures.
 */
import { execFileSync } from 'node:child_process';
import { err, ok, type Result } from '../src/core/index.ts';
import { Script, waitUntil } from './child.ts';
import type { Contender, Place, Running } from './contender.ts';
import type { GeneratorJobs, Injected } from './generator.ts';
import { callControl } from './control.ts';
import { cpuSecondsOf, machineCpuSeconds, type Memory, watchMemory } from './process-tree.ts';
import type { Arrived } from './arrivals.ts';
import type { ReceiverJobs } from './receiver.ts';
import { diskFlushes } from './machine.ts';
import { CAMPAIGN, expected, type Figures, type Workload } from './workloads.ts';

const START_DEADLINE_MS = 20_000;
/** A run longer than that has failed; the slowest known takes a tenth of it. */
export const RUN_DEADLINE_MS = 600_000;
/** Number of the first recipient that waits: no run sends so many messages. */
const FIRST_WAITING = 10_000_000;

export interface Stage {
  readonly workload: Workload;
  readonly mta: Running;
  readonly generator: Script<GeneratorJobs>;
  readonly receiver: Script<ReceiverJobs>;
  /** Where the queue is. */
  readonly dir: string;
}

/** The error is one sentence. */
export const runOnce = (
  contender: Contender,
  workload: Workload,
  place: Omit<Place, 'receiverPort'>,
): Promise<Result<Figures, string>> => onStage({ contender, workload, place }, measure);

/** What a stage is made of. */
export interface Setting {
  readonly contender: Contender;
  readonly workload: Workload;
  readonly place: Omit<Place, 'receiverPort'>;
}

/** Starts receiver, MTA and generator, and ends them whatever becomes of the work. */
export async function onStage<T>(
  { contender, workload, place }: Setting,
  work: (stage: Stage) => Promise<Result<T, string>>,
): Promise<Result<T, string>> {
  const running: { stop(): Promise<void> }[] = [];
  const started = <T extends { stop(): Promise<void> }>(part: T): T => {
    running.unshift(part);
    return part;
  };
  try {
    const receiver = started(new Script<ReceiverJobs>(new URL('./receiver.ts', import.meta.url)));
    const { port: receiverPort } = await receiver.ask(
      'listen',
      { refusals: workload.refusals, dkim: workload.dkim },
      START_DEADLINE_MS,
    );
    const mta = started(await contender.start({ ...place, receiverPort }));
    const generator = started(new Script<GeneratorJobs>(new URL('./generator.ts', import.meta.url)));
    return await work({ workload, mta, generator, receiver, dir: place.dir });
  } catch (error) {
    return err((error as Error).message);
  } finally {
    for (const part of running) await part.stop();
  }
}

/** The workload on a stage; what shall wait meanwhile is queued first. */
export async function measure(stage: Stage): Promise<Result<Figures, string>> {
  const { workload } = stage;
  const filled = await fill(stage);
  if (!filled.ok) return filled;
  const warm = await send(stage, workload.warmUp, 0);
  if (!warm.ok) return warm;
  const endMeter = startMeter(stage);
  const flushesBefore = diskFlushes(stage.dir);
  const sent = await send(stage, workload.count, workload.warmUp);
  if (!sent.ok) return sent;
  const { cpu, harness, other, rssBytes, rssAnonBytes } = endMeter();
  const { injected, arrived } = sent.value;
  const per1000 = (seconds: number): number => (seconds * 1000) / workload.count;
  const { arrive, attempts } = expected(workload, workload.warmUp, workload.warmUp + workload.count);
  return ok({
    acceptedPerSecond: injected.accepted / injected.seconds,
    deliveredPerSecond: (arrive * 1000) / (arrived.lastAtMs - injected.firstAtMs),
    cpuPer1000: per1000(cpu),
    cpuPer1000Attempts: (cpu * 1000) / attempts,
    flushesPerMessage: (diskFlushes(stage.dir) - flushesBefore) / workload.count,
    peakRssBytes: rssBytes,
    peakRssAnonBytes: rssAnonBytes,
    acceptP50Ms: injected.p50Ms,
    acceptP99Ms: injected.p99Ms,
    duplicates: arrived.duplicates,
    sessions: arrived.sessionsMax,
    harnessCpuPer1000: per1000(harness),
    otherCpuPer1000: per1000(other),
  });
}

interface Meter extends Memory {
  /** CPU seconds of the MTA, of generator and receiver, and of everything else on the machine. */
  readonly cpu: number;
  readonly harness: number;
  readonly other: number;
}

/** Counts from now on until the function that is returned is called. */
export function startMeter({ mta, generator, receiver }: Stage): () => Meter {
  // What earlier runs have left unwritten would be written during this one.
  execFileSync('sync');
  const own = [generator.pid, receiver.pid];
  const now = (): [number, number, number] => [
    cpuSecondsOf(mta.pids),
    cpuSecondsOf(own),
    machineCpuSeconds(),
  ];
  const before = now();
  const endWatch = watchMemory(mta.pids);
  return () => {
    const memory = endWatch();
    const [cpu, harness, machine] = now().map((value, i) => value - before[i]!);
    return { ...memory, cpu: cpu!, harness: harness!, other: Math.max(0, machine! - cpu! - harness!) };
  };
}

/** Queues deliveries of a campaign that is on hold. */
async function fill({ workload, mta, generator }: Stage): Promise<Result<void, string>> {
  const { waiting } = workload;
  if (waiting === undefined) return ok(undefined);
  const socket = mta.controlSocket!;
  await callControl(socket, 'POST', '/v1/queue/hold', { selector: { campaign_id: CAMPAIGN } });
  const load = { workload, count: waiting, firstIndex: FIRST_WAITING, socket };
  const { accepted } = await generator.ask('campaign', load, RUN_DEADLINE_MS);
  return accepted === waiting ? ok(undefined) : err(`${accepted} of ${waiting} are queued`);
}

/** Sends messages through and waits until all have arrived and the MTA has noted it. */
export async function send(
  { workload, mta, generator, receiver }: Stage,
  count: number,
  firstIndex: number,
): Promise<Result<{ injected: Injected; arrived: Arrived }, string>> {
  const load = { workload, count, firstIndex };
  const injected =
    workload.injection === 'smtp'
      ? await generator.ask('smtp', { ...load, port: mta.smtpPort }, RUN_DEADLINE_MS)
      : await generator.ask('campaign', { ...load, socket: mta.controlSocket! }, RUN_DEADLINE_MS);
  if (injected.accepted !== count)
    return err(`${injected.accepted} of ${count} accepted: ${injected.firstRefusal ?? 'no refusal'}`);
  const { arrive } = expected(workload, 0, firstIndex + count);
  const wanted = { recipients: arrive, deadlineMs: RUN_DEADLINE_MS };
  const arrived = await receiver.ask('until', wanted, RUN_DEADLINE_MS + START_DEADLINE_MS);
  if (arrived.recipients < arrive) return err(`${arrived.recipients} of ${arrive} arrived`);
  if (workload.dkim && arrived.signed < arrive) return err(`${arrived.signed} of ${arrive} are signed`);
  if (workload.injection === 'smtp' && arrived.bytes < arrive * workload.messageBytes)
    return err(`${arrived.bytes} bytes arrived, less than was sent`);
  await waitUntil(
    async () => (await mta.queued()) === (workload.waiting ?? 0),
    'the queue does not get empty',
    {
      deadlineMs: RUN_DEADLINE_MS,
    },
  );
  return ok({ injected, arrived });
}
