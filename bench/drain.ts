/**
 * What waits, let go at once: the sending side without the receiving one. `workers` fills the queue with signed mail
 * on hold and measures how fast one and two workers empty it; `scale` measures W1 beside a million deliveries of 100
 * nodes and 300 ISPs that wait, and then the first of these themselves.
 */
import { err, formatSize, ok, type Result } from '../src/core/index.ts';
import { callControl } from './control.ts';
import {
  measure,
  onStage,
  RUN_DEADLINE_MS,
  runOnce,
  send,
  type Setting,
  type Stage,
  startMeter,
} from './measure.ts';
import { postrider } from './postrider.ts';
import { median, table, whole } from './report.ts';
import { CAMPAIGN, type Figures, ISP_DOMAINS, type Workload, workloadOf } from './workloads.ts';

interface Drained {
  readonly perSecond: number;
  /** As if the receiver cost nothing: its CPU is taken off the time of all cores. */
  readonly netPerSecond: number;
  readonly cpuPer1000: number;
  readonly harnessCpuPer1000: number;
  readonly otherCpuPer1000: number;
  readonly rssAnonBytes: number;
}

/** What runs a part: where, and who is told. */
export interface Bench {
  readonly cores: number;
  readonly rounds: number;
  readonly dkimKey: string;
  readonly say: (text: string) => void;
  /** Work in a directory of its own; throws what failed. */
  once<T>(label: string, work: (dir: string) => Promise<Result<T, string>>): Promise<T>;
}

const ALL = { all: true };
const PREFILLED = 10_000;
const SCALE = { nodes: 100, isps: 300, waiting: 1_000_000, released: 50_000 } as const;
const LIMIT = { cpu: 1.2, rssAnonBytes: 400 * 1024 * 1024 } as const;

/** Releases what is held, and counts until `count` more have arrived. */
async function drain(
  stage: Stage,
  of: { readonly selector: object; readonly count: number; readonly cores: number },
): Promise<Result<Drained, string>> {
  const { mta, receiver } = stage;
  const { recipients } = await receiver.ask('until', { recipients: 0, deadlineMs: 1 }, RUN_DEADLINE_MS);
  const endMeter = startMeter(stage);
  const startMs = performance.timeOrigin + performance.now();
  await callControl(mta.controlSocket!, 'POST', '/v1/queue/release', { selector: of.selector });
  const wanted = { recipients: recipients + of.count, deadlineMs: RUN_DEADLINE_MS };
  const arrived = await receiver.ask('until', wanted, RUN_DEADLINE_MS * 2);
  const { cpu, harness, other, rssAnonBytes } = endMeter();
  const count = arrived.recipients - recipients;
  if (count < of.count) return err(`${count} of ${of.count} arrived`);
  const seconds = (arrived.lastAtMs - startMs) / 1000;
  return ok({
    perSecond: count / seconds,
    netPerSecond: count / (seconds - harness / of.cores),
    cpuPer1000: (cpu * 1000) / count,
    harnessCpuPer1000: (harness * 1000) / count,
    otherCpuPer1000: (other * 1000) / count,
    rssAnonBytes,
  });
}

/** W2's messages, queued before they may go; one worker and two in turn. */
export async function measureWorkers(bench: Bench): Promise<string[]> {
  const workload: Workload = { ...workloadOf('w2'), count: PREFILLED };
  const drained: Record<number, Drained[]> = { 1: [], 2: [] };
  for (let round = 1; round <= bench.rounds; round++)
    for (const workers of [1, 2]) {
      const contender = postrider({ workers });
      const one = await bench.once(`workers ${workers} round ${round}`, (dir) =>
        onStage({ contender, workload, place: { dir, dkimKey: bench.dkimKey } }, (stage) =>
          prefilled(stage, bench.cores),
        ),
      );
      drained[workers]!.push(one);
      bench.say(
        `workers ${workers} round ${round}: ${whole(one.perSecond)}/s, ${one.cpuPer1000.toFixed(3)} CPU s per 1,000`,
      );
    }
  const of = (workers: number, key: keyof Drained): number =>
    median(drained[workers]!.map((one) => one[key]));
  const ratio = of(2, 'netPerSecond') / of(1, 'netPerSecond');
  return [
    `${whole(PREFILLED)} signed messages of ${formatSize(workload.messageBytes)} on hold, released at once; medians of ${bench.rounds} rounds. \`workers: 2\` ` +
      'gives receiving a thread of its own; without the receiver: its CPU taken off the time of all cores.',
    '',
    ...table([
      [
        '',
        'delivered/s',
        'without the receiver',
        'CPU s/1,000',
        'harness CPU s/1,000',
        'RssAnon peak',
        'other CPU s/1,000',
      ],
      ...[1, 2].map((workers) => [
        `workers: ${workers}`,
        whole(of(workers, 'perSecond')),
        whole(of(workers, 'netPerSecond')),
        of(workers, 'cpuPer1000').toFixed(3),
        of(workers, 'harnessCpuPer1000').toFixed(3),
        formatSize(of(workers, 'rssAnonBytes')),
        of(workers, 'otherCpuPer1000').toFixed(3),
      ]),
    ]),
    '',
    `two workers to one: ${ratio.toFixed(2)} times the speed; \`workers: auto\` takes two where there are more than two cores.`,
  ];
}

/** All of the workload is accepted while nothing may go. */
async function prefilled(stage: Stage, cores: number): Promise<Result<Drained, string>> {
  const { workload, mta, generator } = stage;
  const warm = await send(stage, workload.warmUp, 0);
  if (!warm.ok) return warm;
  await callControl(mta.controlSocket!, 'POST', '/v1/queue/hold', { selector: ALL });
  const load = { workload, count: workload.count, firstIndex: workload.warmUp, port: mta.smtpPort };
  const { accepted, firstRefusal } = await generator.ask('smtp', load, RUN_DEADLINE_MS);
  if (accepted < workload.count) return err(`${accepted} of ${workload.count} accepted: ${firstRefusal}`);
  return drain(stage, { selector: ALL, count: workload.count, cores });
}

/** W1 alone, over all nodes and ISPs, and there beside what waits; then the first that are released. */
export async function measureScale(bench: Bench): Promise<string[]> {
  const workload = workloadOf('w1');
  const wide: Workload = { ...workload, domains: ISP_DOMAINS };
  const large: Workload = { ...wide, waiting: SCALE.waiting };
  const contender = postrider({ nodes: SCALE.nodes, isps: SCALE.isps });
  const setting = (dir: string): Omit<Setting, 'contender' | 'workload'> => ({
    place: { dir, dkimKey: undefined },
  });
  const plain: Figures = await bench.once('scale w1 alone', (dir) =>
    runOnce(postrider(), workload, setting(dir).place),
  );
  bench.say(`scale: W1 alone ${plain.cpuPer1000.toFixed(3)} CPU s per 1,000`);
  const empty: Figures = await bench.once('scale wide', (dir) =>
    runOnce(contender, wide, setting(dir).place),
  );
  bench.say(`scale: W1 over all nodes and ISPs ${empty.cpuPer1000.toFixed(3)} CPU s per 1,000`);
  const { beside, first } = await bench.once('scale', (dir) =>
    onStage({ contender, workload: large, ...setting(dir) }, async (stage) => {
      const figures = await measure(stage);
      if (!figures.ok) return figures;
      bench.say(`scale: W1 beside what waits ${figures.value.cpuPer1000.toFixed(3)} CPU s per 1,000`);
      const selector = { campaign_id: CAMPAIGN };
      const drained = await drain(stage, { selector, count: SCALE.released, cores: bench.cores });
      return drained.ok ? ok({ beside: figures.value, first: drained.value }) : drained;
    }),
  );
  const received = (name: string, figures: Figures) => ({
    name,
    ...figures,
    perSecond: figures.deliveredPerSecond,
    rssAnonBytes: figures.peakRssAnonBytes,
  });
  const all = `W1, ${SCALE.nodes} nodes, ${SCALE.isps} ISPs`;
  const rows = [
    received('W1, 2 nodes, nothing waits', plain),
    received(`${all}, nothing waits`, empty),
    received(`${all}, ${whole(SCALE.waiting)} wait`, beside),
    { name: `all released, the first ${whole(SCALE.released)}`, ...first },
  ];
  return [
    `${whole(SCALE.waiting)} deliveries of a campaign (5 variables, ${formatSize(workload.messageBytes)}) over ${ISP_DOMAINS} domains wait on hold. W1 is the same ${whole(workload.count)} messages in each row: over all nodes and ISPs most of them open a connection of their own. ` +
      'What is released is only sent.',
    '',
    ...table([
      ['', 'delivered/s', 'CPU s/1,000', 'to W1', 'RssAnon peak', 'harness CPU s/1,000', 'other CPU s/1,000'],
      ...rows.map((row) => [
        row.name,
        whole(row.perSecond),
        row.cpuPer1000.toFixed(3),
        (row.cpuPer1000 / plain.cpuPer1000).toFixed(2),
        formatSize(row.rssAnonBytes),
        row.harnessCpuPer1000.toFixed(3),
        row.otherCpuPer1000.toFixed(3),
      ]),
    ]),
    '',
    `- beside what waits a message costs ${(beside.cpuPer1000 / empty.cpuPer1000).toFixed(2)} times what it costs over the same nodes and ISPs with an empty queue`,
    ...rows
      .slice(2)
      .map(
        (row) =>
          `- ${row.name}: CPU ${row.cpuPer1000 <= plain.cpuPer1000 * LIMIT.cpu ? 'within' : 'MISSED:'} ${LIMIT.cpu} times W1; ` +
          `RssAnon ${row.rssAnonBytes <= LIMIT.rssAnonBytes ? 'within' : 'MISSED:'} ${formatSize(LIMIT.rssAnonBytes)}`,
      ),
  ];
}
