/** `postrider source`: sends test mail to a listener and tells how fast it was taken. */
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration, parseRate, parseSize } from '../core/index.ts';
import { DEFAULT_TIMEOUTS, type Timeouts, type TlsMode } from '../mta/smtp/index.ts';
import { DEFAULT_HEADERS, runSource, type SourceReport, type SourceTarget } from '../testbed/index.ts';

interface Switches {
  readonly sessions: number;
  readonly count: number;
  readonly size: number;
  readonly perSession: number;
  readonly domains: number;
  readonly firstIndex: number;
  readonly from: string;
  readonly rate?: number;
  readonly header?: readonly string[];
  readonly helo: string;
  readonly bind?: string;
  readonly tls: TlsMode;
  readonly timeout?: number;
  readonly pipelining: boolean;
  readonly chunking: boolean;
  readonly json?: true;
}

export function sourceCommand(): Command {
  return new Command('source')
    .description('send generated mail to SMTP listeners and measure how it is taken')
    .argument('<target...>', 'host:port of a listener; sessions are spread over several')
    .option('-s, --sessions <n>', 'parallel sessions', atLeast(1), 10)
    .option('-n, --count <n>', 'messages in all', atLeast(1), 1000)
    .option('-l, --size <size>', 'size of a message (10KB, 1MB or bytes)', size, 10 * 1024)
    .option('-p, --per-session <n>', 'messages before a session is closed', atLeast(1), 100)
    .option('-d, --domains <n>', 'recipient domains d0.test, d1.test, ...', atLeast(1), 20)
    .option('--first-index <n>', 'number of the first recipient u<n>@d<n mod domains>.test', atLeast(0), 0)
    .option('-f, --from <address>', 'reverse-path', 'source@source.test')
    .option('-r, --rate <rate>', 'messages that may begin, such as 500/s or 100/1m (default: no limit)', rate)
    .option('-H, --header <line...>', 'header lines instead of the usual; {index} {from} {recipient} {date}')
    .option('--helo <name>', 'name in EHLO', 'source.test')
    .option('--bind <address>', 'local address to send from')
    .addOption(new Option('--tls <mode>', 'encryption').choices(['none', 'may', 'require']).default('none'))
    .option('--timeout <duration>', 'deadline of every step (default: those of RFC 5321)', duration)
    .option('--no-pipelining', 'one command at a time')
    .option('--no-chunking', 'DATA even where BDAT is offered')
    .option('--json', 'print the report as JSON')
    .action(run);
}

async function run(targets: readonly string[], switches: Switches): Promise<void> {
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  process.once('SIGINT', onInterrupt);
  const report = await runSource({
    targets: await Promise.all(targets.map(resolveTarget)),
    sessions: switches.sessions,
    count: switches.count,
    messagesPerSession: switches.perSession,
    messageBytes: switches.size,
    from: switches.from,
    domains: switches.domains,
    firstIndex: switches.firstIndex,
    headers: switches.header ?? DEFAULT_HEADERS,
    ratePerSecond: switches.rate,
    heloName: switches.helo,
    localAddress: switches.bind,
    tls: switches.tls,
    pipelining: switches.pipelining,
    chunking: switches.chunking,
    timeouts: timeoutsOf(switches.timeout),
    signal: stop.signal,
  });
  process.off('SIGINT', onInterrupt);
  console.log(switches.json ? JSON.stringify(report) : described(report));
  process.exitCode = report.accepted === switches.count ? 0 : 1;
}

async function resolveTarget(text: string): Promise<SourceTarget> {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = Number(text.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65535)
    throw new InvalidArgumentError(`${text} is not host:port`);
  if (net.isIP(host) !== 0) return { address: host, port };
  const found = await lookup(host).catch(() => undefined);
  if (found === undefined) throw new InvalidArgumentError(`${host} has no address`);
  return { address: found.address, port };
}

function timeoutsOf(ms: number | undefined): Timeouts {
  if (ms === undefined) return DEFAULT_TIMEOUTS;
  const names = Object.keys(DEFAULT_TIMEOUTS) as (keyof Timeouts)[];
  return Object.fromEntries(names.map((name) => [name, ms])) as unknown as Timeouts;
}

function described(report: SourceReport): string {
  const { latency } = report;
  const lines = [
    `${report.accepted} of ${report.messages} messages accepted in ${report.seconds} s: ${report.perSecond}/s`,
    `latency p50 ${latency.p50Ms} ms, p99 ${latency.p99Ms} ms, max ${latency.maxMs} ms`,
    `${report.rejected} rejected, ${report.tempfailed} not now, ${report.connectFailures} failures to connect`,
  ];
  if (report.firstRefusal !== undefined) lines.push(`first refusal: ${report.firstRefusal}`);
  return lines.join('\n');
}

function atLeast(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`expected a whole number from ${minimum}.`);
    }
    return value;
  };
}

function size(text: string): number {
  const bytes = parseSize(text) ?? Number(text);
  if (!Number.isSafeInteger(bytes) || bytes < 1)
    throw new InvalidArgumentError('expected a size such as 10KB.');
  return bytes;
}

function rate(text: string): number {
  const parsed = parseRate(text);
  if (parsed === undefined) throw new InvalidArgumentError('expected a rate such as 500/s.');
  return (parsed.count * 1000) / parsed.perMs;
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1) throw new InvalidArgumentError('expected a duration such as 30s.');
  return ms;
}
