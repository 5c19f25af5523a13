/** `postrider dkim sign|verify`: a signed message of a file, and what receivers would say of its signatures. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { err, ok, type Result, systemClock } from '../core/index.ts';
import { loadKey, signMessageSync } from '../mta/dkim/index.ts';
import { createResolver, systemServers } from '../mta/dns/index.ts';
import type { Problem } from './client.ts';
import { fail } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io, paint } from './io.ts';
import { fileProblem } from './new-file.ts';

interface SignOptions {
  readonly domain: string;
  readonly selector: string;
  readonly key: string;
  readonly json?: true;
}
interface VerifyOptions {
  readonly dns?: readonly string[];
  readonly json?: true;
}

interface Verdict {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: string;
  readonly result: string;
  readonly comment?: string | undefined;
}

const DNS_MS = 5_000;

export const dkimMessageCommands = (io: Io): readonly Command[] => [
  new Command('sign')
    .description('print a message with a signature in front')
    .argument('<file>', 'message (RFC 5322), - for standard input')
    .requiredOption('--domain <domain>', 'signing domain (d=)')
    .requiredOption('--selector <name>', 'selector (s=)')
    .requiredOption('--key <file>', 'private key in PEM format')
    .option('--json', 'print JSON')
    .action(exitingWith((file: string, options: SignOptions) => sign(io, file, options))),
  new Command('verify')
    .description('say what receivers find in the signatures of a message')
    .argument('<file>', 'message (RFC 5322), - for standard input')
    .option('--dns <server...>', 'name servers to ask (ip or ip:port; default: those of the system)')
    .option('--json', 'print JSON')
    .action(exitingWith((file: string, options: VerifyOptions) => verify(io, file, options))),
];

async function sign(io: Io, file: string, { key: keyFile, json, ...name }: SignOptions): Promise<ExitCode> {
  const message = await read(io, file);
  if (!message.ok) return fail(io, { json }, message.error);
  const pem = await read(io, keyFile);
  if (!pem.ok) return fail(io, { json }, pem.error);
  const key = loadKey(pem.value, name);
  if (!key.ok)
    return fail(
      io,
      { json },
      { exitCode: 2, code: 'invalid', message: `${keyFile}: ${key.error}`, lines: [] },
    );
  const text = message.value.toString('utf8');
  if (!Buffer.from(text).equals(message.value))
    return fail(
      io,
      {},
      {
        exitCode: 2,
        code: 'invalid',
        message: `${file} has bytes that are no UTF-8: encode its body as quoted-printable or base64 first`,
        lines: [],
      },
    );
  const fields = signMessageSync(message.value, [key.value], { now: systemClock.now() });
  const signed = fields.toString('latin1') + text;
  await io.out(json ? `${JSON.stringify({ message: signed }, undefined, 2)}\n` : signed);
  return 0;
}

async function verify(io: Io, file: string, options: VerifyOptions): Promise<ExitCode> {
  const message = await read(io, file);
  if (!message.ok) return fail(io, options, message.error);
  const verdicts = await verdictsOf(message.value, options.dns);
  const good = verdicts.length > 0 && verdicts.every(({ result }) => result === 'pass');
  await io.out(
    options.json
      ? `${JSON.stringify({ ok: good, signatures: verdicts }, undefined, 2)}\n`
      : verdictText(io, verdicts),
  );
  return good ? 0 : 1;
}

async function verdictsOf(message: Buffer, servers: readonly string[] | undefined): Promise<Verdict[]> {
  const given = servers?.map((server) => (/:\d+$/.test(server) ? server : `${server}:53`));
  const resolver = createResolver({
    servers: given ?? systemServers(),
    timeoutMs: DNS_MS,
    cacheSize: 100,
    clock: systemClock,
  });
  try {
    const { results } = await dkimVerify(message, {
      resolver: async (name: string) => {
        const answer = await resolver.query(name.toLowerCase(), 'TXT');
        if (answer.kind === 'records') return answer.records.map((text) => [text]);
        const failed = answer.kind === 'failure';
        throw Object.assign(new Error(failed ? answer.text : 'no such record'), {
          code: failed ? 'ETIMEOUT' : 'ENOTFOUND',
        });
      },
    });
    // Without any it says so in a result of no domain.
    const signatures = results.filter(({ signingDomain }) => signingDomain !== undefined);
    return signatures.map(({ signingDomain = '', selector = '', algo = '', status }) => ({
      domain: signingDomain,
      selector,
      algorithm: algo,
      result: status.result,
      comment: typeof status.comment === 'string' ? status.comment : undefined,
    }));
  } finally {
    resolver.close();
  }
}

/** With CRLF at the end of every line, as it goes over the wire. */
async function read(io: Io, file: string): Promise<Result<Buffer, Problem>> {
  try {
    const chunks: Buffer[] = [];
    if (file === '-') for await (const chunk of io.stdin()) chunks.push(chunk);
    const bytes = file === '-' ? Buffer.concat(chunks) : await readFile(file);
    return ok(Buffer.from(bytes.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1'));
  } catch (error) {
    return err(fileProblem(error, file));
  }
}

export function verdictText(io: Pick<Io, 'colour'>, verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return 'the message has no DKIM signature\n';
  const lines = verdicts.map(({ domain, selector, algorithm, result, comment }) => {
    const word = paint(io, result === 'pass' ? 'green' : 'red', result);
    const why = comment === undefined ? '' : `: ${clean(comment)}`;
    return `${word} ${clean(`${selector}._domainkey.${domain} (${algorithm})`)}${why}\n`;
  });
  return lines.join('');
}
