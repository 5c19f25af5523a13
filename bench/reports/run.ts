/**
 * `npm run bench:reports`: what 10,000 reports a minute do to delivery. One running server gets the same load of mail in
 * alternating phases, without and with reports: at a steady pace, and as fast as it goes. Each report names a delivery of its
 * own. Exit status 1 when a report was refused, lost or counted twice, or a message did not arrive.
 */
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { type DeliveryId, deliveryIdOf, type Event, parseDeliveryId } from '../../src/core/index.ts';
import { createTokens } from '../../src/fbl/index.ts';
import { startDnsStub } from '../../src/testbed/index.ts';
import { Script, waitUntil } from '../child.ts';
import { freePort } from '../contender.ts';
import type { GeneratorJobs } from '../generator.ts';
import { describeMachine } from '../machine.ts';
import { postrider, startPostrider } from '../postrider.ts';
import { cpuSecondsOf } from '../process-tree.ts';
import type { ReceiverJobs } from '../receiver.ts';
import { table } from '../report.ts';
import { WORKLOADS } from '../workloads.ts';
import type { Handed, ReportJobs, ReportTarget } from './source.ts';

const FILE = fileURLToPath(new URL('../REPORTS.md', import.meta.url));
const DOMAIN = 'bounce.bench.test';
const REPORTS_PER_SECOND = 10_000 / 60;
const DEADLINE_MS = 120_000;
/** Messages a second at a steady pace: half of what the two cores can do beside generator and receiver. */
const PACE = 600;
/** One report in so many is a complaint. */
const COMPLAINTS = 4;

interface Phase {
  readonly name: string;
  readonly perSecond?: number;
  readonly count: number;
  readonly reports: boolean;
}
interface Measured {
  readonly phase: Phase;
  readonly deliveredPerSecond: number;
  readonly acceptP50Ms: number;
  readonly acceptP99Ms: number;
  readonly cpuSeconds: number;
  readonly handed: Handed | undefined;
  readonly readBehindMs: number;
}
interface Inbound {
  readonly reports: readonly { readonly verdict: string; readonly count: number }[];
  readonly waiting: number;
}

const { seconds, write } = new Command('bench:reports')
  .description('reports while mail is delivered')
  .option('--seconds <n>', 'length of a phase at a steady pace', Number, 15)
  .option('--write', 'write bench/REPORTS.md')
  .parse()
  .opts<{ seconds: number; write?: true }>();

const workload = WORKLOADS.find(({ name }) => name === 'w1')!;
const steady = { name: `${PACE} messages/s`, perSecond: PACE, count: PACE * seconds };
const flatOut = { name: 'as fast as it goes', count: 1_500 * seconds };
const PHASES: readonly Phase[] = [steady, flatOut].flatMap((one) =>
  [false, true, false, true].map((reports) => ({ ...one, reports })),
);

const dir = mkdtempSync(join(tmpdir(), 'postrider-reports-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));

const dns = await startDnsStub({ zones: { 'far.test': { TXT: ['v=spf1 ip4:127.0.0.0/8 -all'] } } });
const mxPort = await freePort();
const receiver = new Script<ReceiverJobs>(new URL('../receiver.ts', import.meta.url));
const { port: receiverPort } = await receiver.ask('listen', { dkim: false }, DEADLINE_MS);
const settings = {
  dns: { servers: [dns.address] },
  mx: { listen: [`127.0.0.1:${mxPort}`], domains: [DOMAIN] },
};
const mta = await startPostrider({ dir, receiverPort, dkimKey: undefined }, { settings });
const generator = new Script<GeneratorJobs>(new URL('../generator.ts', import.meta.url));
const reporter = new Script<ReportJobs>(new URL('./source.ts', import.meta.url));
const measured: Measured[] = [];
let sent = 0;
try {
  const targets = await deliveredTargets();
  for (const phase of PHASES) measured.push(await measure(phase, targets));
  const problems = await accounted();
  const page = pageOf(problems);
  process.stdout.write(page);
  if (write) writeFileSync(FILE, page);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  for (const part of [reporter, generator, mta, receiver]) await part.stop();
  await dns.close();
}

function get(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: mta.controlSocket, path }, (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${path} is answered with ${response.statusCode}: ${body.slice(0, 200)}`));
      }, reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

async function send(
  count: number,
  perSecond?: number,
): Promise<Omit<Measured, 'phase' | 'handed' | 'cpuSeconds' | 'readBehindMs'>> {
  const load = { workload, count, firstIndex: sent, ratePerSecond: perSecond, port: mta.smtpPort };
  const injected = await generator.ask('smtp', load, DEADLINE_MS);
  if (injected.accepted !== count) throw new Error(`refused: ${injected.firstRefusal}`);
  sent += count;
  const arrived = await receiver.ask('until', { recipients: sent, deadlineMs: DEADLINE_MS }, DEADLINE_MS * 2);
  if (arrived.recipients < sent) throw new Error('a message did not arrive');
  return {
    deliveredPerSecond: (count * 1000) / (arrived.lastAtMs - injected.firstAtMs),
    acceptP50Ms: injected.p50Ms,
    acceptP99Ms: injected.p99Ms,
  };
}

/** Mail is delivered for the reports of all phases, which then name it. Also warms the program up. */
async function deliveredTargets(): Promise<ReportTarget[]> {
  const wanted = PHASES.length * Math.ceil(REPORTS_PER_SECOND * seconds);
  await send(wanted);
  await waitUntil(async () => (await mta.queued()) === 0, 'the queue is not empty', {
    deadlineMs: DEADLINE_MS,
  });
  const tokens = createTokens([
    { id: '0', key: Buffer.from(readFileSync(join(dir, 'secret'), 'utf8').trim(), 'hex') },
  ]);
  const events = (await get('/v1/events?type=delivered')).split('\n').filter(Boolean);
  return events.map((line, i) => {
    const id = parsedId(JSON.parse(line) as Event);
    const to = tokens.returnPath(id, DOMAIN);
    return i % COMPLAINTS > 0
      ? { to }
      : {
          to,
          header: `From: news@shop.test\r\nPostrider-Delivery: ${tokens.address('header', id, DOMAIN)}`,
        };
  });
}

/** The id of an event's delivery, as what it is. */
function parsedId({ delivery_id: text = '' }: Event): DeliveryId {
  const parsed = parseDeliveryId(text);
  if (!parsed) throw new Error(`no delivery id: ${text}`);
  return deliveryIdOf(parsed.number, parsed.index);
}

async function measure(phase: Phase, targets: ReportTarget[]): Promise<Measured> {
  const before = cpuSecondsOf(mta.pids);
  const batch = phase.reports ? targets.splice(0, Math.ceil(REPORTS_PER_SECOND * seconds)) : [];
  const job = { port: mxPort, targets: batch, perSecond: REPORTS_PER_SECOND };
  const reporting = phase.reports ? reporter.ask('send', job, DEADLINE_MS) : undefined;
  reporting?.catch(() => undefined);
  const delivered = await send(phase.count, phase.perSecond);
  const handed = await reporting;
  const end = performance.now();
  if (phase.reports) await allRead();
  const readBehindMs = performance.now() - end;
  process.stderr.write(
    `${phase.name}, reports: ${phase.reports}: ${delivered.deliveredPerSecond.toFixed(0)}/s\n`,
  );
  return { phase, ...delivered, handed, cpuSeconds: cpuSecondsOf(mta.pids) - before, readBehindMs };
}

function taken(): number {
  return measured.reduce((sum, { handed }) => sum + (handed?.taken ?? 0), 0);
}

async function inbound(): Promise<Inbound> {
  return (JSON.parse(await get('/v1/status')) as { inbound: Inbound }).inbound;
}

async function concluded(): Promise<number> {
  return (await inbound()).reports.reduce((sum, { count }) => sum + count, 0);
}

/** Until nothing waits in the inbox. */
async function allRead(): Promise<void> {
  const empty = async (): Promise<boolean> => (await inbound()).waiting === 0;
  await waitUntil(empty, 'reports are not read', { deadlineMs: DEADLINE_MS });
}

/** Every report that was taken has its event, on a delivery of its own. */
async function accounted(): Promise<string[]> {
  const problems: string[] = [];
  const refused = measured.find(({ handed }) => handed?.firstRefusal !== undefined);
  if (refused) problems.push(`refused: ${refused.handed!.firstRefusal}`);
  if ((await concluded()) !== taken()) problems.push(`${taken()} reports taken, ${await concluded()} read`);
  const lines = await Promise.all(['hard_bounce', 'complaint'].map((type) => get(`/v1/events?type=${type}`)));
  const told = lines
    .flatMap((some) => some.split('\n').filter(Boolean))
    .map((line) => (JSON.parse(line) as Event).delivery_id);
  if (new Set(told).size !== taken())
    problems.push(`${taken()} reports taken, ${new Set(told).size} deliveries told of`);
  return problems;
}

function pageOf(problems: readonly string[]): string {
  const machine = describeMachine(dir);
  const rows = measured.map((one) => [
    one.phase.name,
    one.phase.reports ? '10,000/min' : 'none',
    one.deliveredPerSecond.toFixed(0),
    one.acceptP50Ms.toFixed(1),
    one.acceptP99Ms.toFixed(1),
    ((one.cpuSeconds * 1000) / one.phase.count).toFixed(3),
    one.handed ? one.handed.taken.toLocaleString('en') : '',
    one.handed ? (one.handed.taken / one.handed.seconds).toFixed(0) : '',
    one.handed
      ? `${one.handed.p50Ms.toFixed(1)} / ${one.handed.p99Ms.toFixed(1)} / ${one.handed.maxMs.toFixed(0)}`
      : '',
    one.handed ? one.readBehindMs.toFixed(0) : '',
  ]);
  const head = [
    'mail',
    'reports',
    'delivered/s',
    'accept p50 ms',
    'p99 ms',
    'CPU s/1,000 mails',
    'reports taken',
    'per s',
    'their 250: p50 / p99 / max ms',
    'read ms after the last',
  ];
  return [
    '# Reports while mail is delivered',
    '',
    'Written by `npm run bench:reports -- --write`; do not edit.',
    '',
    `- ${new Date().toISOString()}, Node.js ${process.version}, postrider ${postrider().version}`,
    `- machine: ${machine.cpu}, ${machine.cores} cores, ${machine.fileSystem}, 10 KB append and fdatasync ${machine.syncMs.toFixed(2)} ms, load at the end ${machine.load.toFixed(1)}`,
    `- mail of 10 KB over SMTP, one server, phases one after the other; a report (2.5 KB) for a delivery of its own each, one in ${COMPLAINTS} a complaint, SPF of the reporter looked up in a DNS on loopback, events and stop list durable`,
    '- CPU is of the server with all it does in the phase; source, receiver and reporter share its cores',
    '',
    ...table([head, ...rows]),
    '',
    problems.length === 0
      ? `All ${taken().toLocaleString('en')} reports that were taken have led to one event, each on its own delivery; all ${sent.toLocaleString('en')} messages arrived.`
      : `PROBLEMS: ${problems.join('; ')}`,
    '',
  ].join('\n');
}
