/** `postrider dkim`: makes signing keys and says what to publish in the DNS. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { err, ok, type Result } from '../core/index.ts';
import {
  type DkimAlgorithm,
  type DkimKey,
  generateKeyPem,
  loadKey,
  publicRecord,
} from '../mta/dkim/index.ts';
import type { Problem } from './client.ts';
import { show } from './connection.ts';
import { dkimMessageCommands } from './dkim-message.ts';
import { exitingWith, type Io } from './io.ts';
import { createFile, fileProblem } from './new-file.ts';

/** A character-string of a TXT record holds at most so many bytes (RFC 1035 §3.3.14). */
const STRING_BYTES = 255;
const ALGORITHMS: Readonly<Record<'rsa' | 'ed25519', DkimAlgorithm>> = {
  rsa: 'rsa-sha256',
  ed25519: 'ed25519-sha256',
};

interface Options {
  readonly domain: string;
  readonly selector: string;
  readonly json?: true;
}
interface GenerateOptions extends Options {
  readonly algorithm: keyof typeof ALGORITHMS;
  readonly out: string;
}
interface RecordOptions extends Options {
  readonly key: string;
}

interface DnsRecord {
  readonly name: string;
  readonly type: 'TXT';
  /** The value as one text, for DNS providers that cut it themselves. */
  readonly text: string;
  /** The line of a zone file. */
  readonly zone: string;
}
interface GeneratedView extends DnsRecord {
  readonly key_file: string;
  readonly algorithm: DkimAlgorithm;
}

export function dkimCommand(io: Io): Command {
  const generating = withName(new Command('generate').description('make a private key'))
    .addOption(
      new Option('--algorithm <name>', 'kind of key').choices(Object.keys(ALGORITHMS)).default('rsa'),
    )
    .requiredOption('--out <file>', 'file to write')
    .action(
      exitingWith(async (options: GenerateOptions) =>
        show(io, options, await generate(options), generatedText),
      ),
    );
  const recording = withName(new Command('record').description('print the DNS record of a private key'))
    .requiredOption('--key <file>', 'private key in PEM format')
    .action(
      exitingWith(async (options: RecordOptions) => show(io, options, await record(options), recordText)),
    );
  const dkim = new Command('dkim').description('signing keys and signatures');
  for (const command of [generating, recording, ...dkimMessageCommands(io)]) dkim.addCommand(command);
  return dkim;
}

const withName = (command: Command): Command =>
  command
    .requiredOption('--domain <domain>', 'signing domain (d=)')
    .requiredOption('--selector <name>', 'selector (s=)')
    .option('--json', 'print JSON');

async function generate(options: GenerateOptions): Promise<Result<GeneratedView, Problem>> {
  const file = resolve(options.out);
  const pem = generateKeyPem(ALGORITHMS[options.algorithm]);
  const key = loadKey(pem, options);
  if (!key.ok) return err(problem('invalid', key.error));
  const written = await createFile(file, pem, 0o600);
  if (!written.ok) return written;
  return ok({ key_file: file, algorithm: key.value.algorithm, ...dnsRecord(key.value) });
}

async function record(options: RecordOptions): Promise<Result<DnsRecord, Problem>> {
  let pem: Buffer;
  try {
    pem = await readFile(options.key);
  } catch (error) {
    return err(fileProblem(error, options.key));
  }
  const key = loadKey(pem, options);
  return key.ok ? ok(dnsRecord(key.value)) : err(problem('invalid', `${options.key}: ${key.error}`));
}

const problem = (code: string, message: string): Problem => ({ exitCode: 2, code, message, lines: [] });

function dnsRecord(key: DkimKey): DnsRecord {
  const { name, text } = publicRecord(key);
  const strings: string[] = [];
  for (let at = 0; at < text.length; at += STRING_BYTES)
    strings.push(`"${text.slice(at, at + STRING_BYTES)}"`);
  return { name, type: 'TXT', text, zone: `${name}. IN TXT ( ${strings.join(' ')} )` };
}

function generatedText(generated: GeneratedView): string {
  return `wrote ${generated.key_file} (${generated.algorithm}; only its owner may read it)
publish this before you sign with it:

${recordText(generated)}`;
}

const recordText = ({ name, text, zone }: DnsRecord): string => `name   ${name}
type   TXT
value  ${text}

As a line of a zone file:
${zone}
`;
