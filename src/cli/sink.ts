/** `postrider sink`: receives mail and forgets it, misbehaves when told to, and tells what arrived. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { formatDuration, formatSize, parseDuration, parseRate, parseSize, type Rate } from '../core/index.ts';
import {
  makeCertificate,
  parseSinkRule,
  startSink,
  type Sink,
  type SinkOptions,
  type SinkRule,
  type SinkStats,
  type SinkTls,
} from '../testbed/index.ts';

interface Switches {
  readonly hostname: string;
  readonly rule?: readonly SinkRule[];
  readonly unknown?: readonly string[];
  readonly rateLimit?: Rate;
  readonly rateTolerance: number;
  readonly rateCode: '421' | '450';
  readonly maxSessions?: number;
  readonly maxRecipients?: number;
  readonly maxSize?: number;
  readonly replyLatency?: number;
  readonly messageLatency?: number;
  readonly idleTimeout?: number;
  readonly tls: 'off' | 'on' | 'require';
  readonly cert?: string;
  readonly key?: string;
  readonly pipelining: boolean;
  readonly chunking: boolean;
  readonly '8bitmime': boolean;
  readonly smtputf8: boolean;
  readonly size: boolean;
  readonly keepBareLineEnds?: true;
  readonly byMessageId?: true;
  readonly dump?: string;
  readonly exitAfter?: number;
  readonly json?: true;
}

const RULES = `
Rules: PHASE [RECIPIENT] [SHARE] [once] = REPLY | disconnect | hang
The first that matches wins. Phases:
  greeting ehlo mail rcpt data mid-content content
  --rule 'rcpt *@a.test once = 451 4.7.1 greylisted'
  --rule 'content 20% = 452 4.3.1 full'
  --rule 'content 1% = disconnect'
  --rule 'mid-content = hang'`;

/** Longest delay a timer takes (24 days): a sink that runs longer is none. */
const FOREVER_MS = 2 ** 31 - 1;

export function sinkCommand(): Command {
  const command = new Command('sink')
    .description('receive mail, forget it, and misbehave when told to (for tests; never expose it)')
    .argument('[listen...]', 'host:port to listen on (default: 127.0.0.1:2626)')
    .option('--hostname <name>', 'name in the greeting', 'sink.test')
    .option('--rule <rule>', 'how to misbehave (see below; may be repeated)', addRule)
    .option('--unknown <pattern>', 'recipients to answer 550 5.1.1 (may be repeated)', add)
    .option('--rate-limit <rate>', 'RCPT commands taken from one address, such as 100/1m', rate)
    .option('--rate-tolerance <percent>', 'excess over the limit that goes unpunished', percent, 0)
    .addOption(new Option('--rate-code <code>', 'reply above it').choices(['421', '450']).default('421'))
    .option('--max-sessions <n>', 'connections above it are answered 421', wholeNumber)
    .option('--max-recipients <n>', 'recipients per message (default: 1000)', wholeNumber)
    .option('--max-size <size>', 'largest message (default: 25MB)', size)
    .option('--reply-latency <duration>', 'wait before each reply', duration)
    .option('--message-latency <duration>', 'wait before the reply to a message', duration)
    .option('--idle-timeout <duration>', 'wait for the next command (default: 5m)', duration);
  return withCapabilities(command)
    .option('--keep-bare-line-ends', 'take messages with bare CR or LF instead of refusing them')
    .option('--by-message-id', 'a duplicate has the same Message-ID too, not only the recipient')
    .option('--dump <directory>', 'write each message as .eml and its envelope as .json')
    .option('--exit-after <n>', 'end after so many messages', wholeNumber)
    .option('--json', 'print addresses and statistics as JSON, one line each')
    .addHelpText('after', RULES)
    .action(run);
}

const withCapabilities = (command: Command): Command =>
  command
    .addOption(new Option('--tls <mode>', 'STARTTLS').choices(['off', 'on', 'require']).default('off'))
    .option('--cert <file>', 'certificate in PEM (default: one made for this run)')
    .option('--key <file>', 'its key')
    .option('--no-pipelining', 'do not offer PIPELINING')
    .option('--no-chunking', 'do not offer CHUNKING')
    .option('--no-8bitmime', 'do not offer 8BITMIME')
    .option('--no-smtputf8', 'do not offer SMTPUTF8')
    .option('--no-size', 'do not offer SIZE');

async function run(listen: readonly string[], switches: Switches, command: Command): Promise<void> {
  const targets = (listen.length > 0 ? listen : ['127.0.0.1:2626']).map((text) => parseListen(text, command));
  let sink: Sink;
  try {
    sink = await startSink({ ...sinkOptions(switches, command), listen: targets });
  } catch (error) {
    return command.error(`error: ${(error as Error).message}`, { exitCode: 2 });
  }
  announce(sink, switches.json === true);
  await Promise.race([interrupted(), finished(sink, switches.exitAfter)]);
  await sink.close({ drainMs: 1000 });
  const stats = sink.stats();
  console.log(switches.json ? JSON.stringify(stats) : described(stats));
  process.exitCode = 0;
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

async function finished(sink: Sink, messages: number | undefined): Promise<void> {
  const wanted = messages ?? Number.POSITIVE_INFINITY;
  await sink.until((stats) => stats.messages >= wanted, FOREVER_MS);
}

function announce(sink: Sink, json: boolean): void {
  if (json) return console.log(JSON.stringify({ listening: sink.addresses }));
  for (const { address, port } of sink.addresses) console.log(`listening on ${address}:${port}`);
}

function sinkOptions(switches: Switches, command: Command): SinkOptions {
  return {
    hostname: switches.hostname,
    rules: switches.rule,
    unknownUsers: switches.unknown,
    rateLimit: switches.rateLimit && {
      ...switches.rateLimit,
      tolerance: switches.rateTolerance,
      code: switches.rateCode === '450' ? 450 : 421,
    },
    maxSessions: switches.maxSessions,
    maxRecipients: switches.maxRecipients,
    maxMessageBytes: switches.maxSize,
    replyLatencyMs: switches.replyLatency,
    messageLatencyMs: switches.messageLatency,
    idleTimeoutMs: switches.idleTimeout,
    tls: tlsOf(switches, command),
    capabilities: {
      pipelining: switches.pipelining,
      chunking: switches.chunking,
      eightBitMime: switches['8bitmime'],
      smtpUtf8: switches.smtputf8,
      size: switches.size,
    },
    bareLineEnds: switches.keepBareLineEnds ? 'keep' : 'refuse',
    duplicatesBy: switches.byMessageId ? 'recipient-and-message-id' : 'recipient',
    dump: switches.dump,
  };
}

function tlsOf(switches: Switches, command: Command): SinkTls | undefined {
  const { tls, cert, key, hostname } = switches;
  if ((cert === undefined) !== (key === undefined))
    command.error('error: --cert and --key belong together', { exitCode: 2 });
  if (tls === 'off') return undefined;
  const required = tls === 'require';
  if (cert === undefined || key === undefined)
    return { ...makeCertificate({ names: [hostname, '127.0.0.1'] }), required };
  try {
    return { cert: readFileSync(cert), key: readFileSync(key), required };
  } catch (error) {
    return command.error(`error: ${(error as Error).message}`, { exitCode: 2 });
  }
}

function described(stats: SinkStats): string {
  const lines = [
    `${stats.messages} messages for ${stats.recipients} recipients (${stats.duplicates} duplicates), ${formatSize(stats.bytes)}, in ${formatDuration(stats.seconds * 1000)}: ${stats.perSecond}/s`,
    `${stats.connections} connections, at most ${stats.sessionsMax} at a time`,
  ];
  if (stats.rateExceeded > 0) lines.push(`${stats.rateExceeded} recipients above the rate limit`);
  for (const [reply, count] of Object.entries(stats.byReply)) lines.push(`${count} x ${reply}`);
  return lines.join('\n');
}

function parseListen(text: string, command: Command): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = Number(text.slice(colon + 1));
  if (colon < 1 || text.endsWith(':') || !Number.isInteger(port) || port < 0 || port > 65535)
    command.error(`error: ${text} is not host:port`, { exitCode: 2 });
  return { host, port };
}

function addRule(text: string, rules: readonly SinkRule[] = []): readonly SinkRule[] {
  const rule = parseSinkRule(text);
  if (!rule.ok) throw new InvalidArgumentError(`${rule.error}.`);
  return [...rules, rule.value];
}

const add = (text: string, list: readonly string[] = []): readonly string[] => [...list, text];

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('expected a whole number from 1.');
  return value;
}

function percent(text: string): number {
  const value = Number(text.replace(/%$/, ''));
  if (!(value >= 0 && value <= 1000)) throw new InvalidArgumentError('expected a percentage.');
  return value / 100;
}

function size(text: string): number {
  const bytes = parseSize(text) ?? Number(text);
  if (!Number.isSafeInteger(bytes) || bytes < 1)
    throw new InvalidArgumentError('expected a size such as 10KB.');
  return bytes;
}

function rate(text: string): Rate {
  const parsed = parseRate(text);
  if (parsed === undefined) throw new InvalidArgumentError('expected a rate such as 100/1m.');
  return parsed;
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('expected a duration such as 30s.');
  return ms;
}
