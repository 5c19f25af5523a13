/**
 * `postrider demo`: the whole main job on one machine, without root and without a configuration. The MTA is the real
 * one (service.ts); only the receivers and their DNS are played. Exit status 0 means that every accepted message was
 * delivered or ended with a reason, and that the receivers have what was said to be delivered.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { pino } from 'pino';
import { DELAYED, sendCampaign, sendSingles, sendSlowCampaign, SLOW_CAMPAIGN } from './demo-mail.ts';
import { type Summary, SummaryBuilder, summaryTable } from './demo-summary.ts';
import { BUSY, createWorld, type DemoWorld, ISPS, NODES } from './demo-world.ts';
import { Exit, type Io } from './io.ts';
import { Service } from './service.ts';

interface DemoOptions {
  readonly exit?: true;
  readonly json?: true;
  readonly keep?: true;
}

const CAMPAIGN = 2_000;
const SINGLES = 200;
/** The demo ends by itself after some 20 seconds; when it does not, something is wrong and it says so. */
const DEADLINE_MS = 180_000;
const DRAIN_MS = 5_000;

export function demoCommand(io: Io): Command {
  return new Command('demo')
    .description('an MTA with three nodes, four receivers and a campaign, on this machine only')
    .option('--exit', 'end when all mail has ended, instead of staying up until Ctrl-C')
    .option('--json', 'print the summary as one line of JSON')
    .option('--keep', 'keep the directory of the demo (configuration, queue, log)')
    .action(async (options: DemoOptions) => {
      const interruption = io.interrupted();
      if (!(await demo(options, { io, interruption }))) throw new Exit(1);
    });
}

interface Surroundings {
  readonly io: Io;
  readonly interruption: AbortSignal;
}

async function demo(options: DemoOptions, { io, interruption }: Surroundings): Promise<boolean> {
  const world = await createWorld();
  const log = pino(
    { level: 'info', base: undefined },
    pino.destination({ dest: join(world.dir, 'postrider.log'), sync: true }),
  );
  const started = await Service.start({ configFile: world.configFile, log });
  if (!started.ok) {
    io.err(`${started.error.join('\n')}\n`);
    await world.close();
    return false;
  }
  const service = started.value;
  try {
    if (!options.json) await io.out(introduction());
    const summary = await run({ world, service, io, interruption, quiet: options.json === true });
    const arrived = [...world.sinks.values()].reduce((sum, sink) => sum + sink.stats().messages, 0);
    if (!options.exit && !interruption.aborted) await sendSlowCampaign(world.socket);
    if (options.json) await io.out(`${JSON.stringify(summary)}\n`);
    else {
      await io.out(result(summary, { io, arrived }));
      await io.out(options.exit ? EXIT_HINT : whereToLook(world, service));
    }
    if (!options.exit && !interruption.aborted)
      await stayUp(io, { interruption, keep: options.keep === true });
    return isGood(summary, arrived);
  } finally {
    await service.stop(DRAIN_MS);
    await world.close();
    if (!options.keep) rmSync(world.dir, { recursive: true, force: true });
  }
}

/** All that was accepted has ended, and the receivers agree. */
const isGood = (
  { accepted, delivered, hard_bounced, undelivered, queued }: Summary,
  arrived: number,
): boolean =>
  accepted === CAMPAIGN + SINGLES &&
  queued === 0 &&
  accepted === delivered + hard_bounced + undelivered &&
  arrived === delivered;

interface Run {
  readonly world: DemoWorld;
  readonly service: Service;
  readonly io: Io;
  readonly interruption: AbortSignal;
  readonly quiet: boolean;
}

/** Injects the mail and follows the journal until all of it has ended. */
async function run({ world, service, io, interruption, quiet }: Run): Promise<Summary> {
  const builder = new SummaryBuilder();
  const ending = AbortSignal.any([interruption, AbortSignal.timeout(DEADLINE_MS)]);
  const done = new AbortController();
  const bar =
    quiet || io.columns === undefined
      ? undefined
      : new SingleBar({ format: 'delivering {bar} {value}/{total} ended' });
  bar?.start(CAMPAIGN + SINGLES, 0);
  const following = (async () => {
    for await (const event of service.queue.follow(0, AbortSignal.any([ending, done.signal]))) {
      builder.add(event);
      bar?.update(builder.progress.ended);
      if (builder.progress.ended === CAMPAIGN + SINGLES) return;
    }
  })();
  try {
    await Promise.all([sendCampaign(world.socket, CAMPAIGN), sendSingles(world.smtpPort, SINGLES)]);
    await following;
  } finally {
    done.abort();
    bar?.stop();
  }
  return builder.summary();
}

const introduction = (): string =>
  [
    `${CAMPAIGN} personalised messages go in through the control socket, ${SINGLES} over SMTP.`,
    `They leave from ${NODES.join(', ')} to four receivers:`,
    ...ISPS.map(({ name, manner }) => `  ${name.padEnd(11)} ${manner}`),
    '',
    '',
  ].join('\n');

function result(summary: Summary, { io, arrived }: { io: Io; arrived: number }): string {
  const { accepted, delivered, hard_bounced, undelivered, queued } = summary;
  const addresses = new Map(NODES.map((address, i) => [`n${i + 1}`, address]));
  const nodes = Object.entries(summary.per_node).map(
    ([name, line]) => [`${name} ${addresses.get(name)}`, line] as const,
  );
  return [
    '',
    summaryTable('ISP', summary.per_isp, io),
    summaryTable('node', Object.fromEntries(nodes), io),
    `accepted ${accepted} = ${delivered} delivered + ${hard_bounced} hard bounces + ${undelivered} undelivered + ${queued} queued; ${arrived} arrived at the receivers`,
    '',
  ].join('\n');
}

const EXIT_HINT = '\nWithout --exit it stays up, so that you can look around.\n';

function whereToLook(world: DemoWorld, service: Service): string {
  const { listen } = service.config.status;
  const page = listen && `http://${listen.host}:${listen.port}/`;
  return [
    '',
    `It stays up. Another campaign, ${SLOW_CAMPAIGN}, goes out slowly now, and ${BUSY.name} puts its mail off. Look around:`,
    ...(page ? [`  ${page}   the status page; sign in with ${world.statusToken}`] : []),
    'or in another terminal, in this directory:',
    ...table([
      [`export POSTRIDER_SOCKET=${world.socket}`, ''],
      ['npx postrider status', 'does it send, what waits and why'],
      [`npx postrider explain ${BUSY.name}`, 'why mail to it is delayed'],
      ['npx postrider campaign list', 'how campaigns go'],
      [`npx postrider queue hold --campaign ${SLOW_CAMPAIGN}`, '"queue release" lets it go again'],
      [`npx postrider message list --recipient ${DELAYED}`, 'all that happened to mail for it'],
      ['npx postrider queue list; npx postrider events --follow', 'what waits; what happens'],
      ['npx postrider top', 'all of it, live'],
    ]),
    ...(page ? [`  curl -H 'Authorization: Bearer ${world.statusToken}' ${page}metrics`] : []),
    `  the configuration: ${world.configFile}`,
    `  the log:           ${join(world.dir, 'postrider.log')}`,
    '',
  ].join('\n');
}

/** Commands, and beside each what it is for. */
function table(lines: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...lines.filter(([, text]) => text !== '').map(([command]) => command.length));
  return lines.map(([command, text]) => `  ${command.padEnd(width)}  ${text && `# ${text}`}`.trimEnd());
}

async function stayUp(
  io: Io,
  { interruption, keep }: { readonly interruption: AbortSignal; readonly keep: boolean },
): Promise<void> {
  // With JSON on stdout the hint must not be there.
  io.err(`Ctrl-C ends it and ${keep ? 'leaves' : 'removes'} its directory.\n`);
  await new Promise<void>((resolve) =>
    interruption.addEventListener('abort', () => resolve(), { once: true }),
  );
}
