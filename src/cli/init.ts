/**
 * `postrider init`: a starter configuration and the key of the return paths. Overwrites nothing: either both files
 * are made or none. The standard place gets the standard directories, any other keeps all next to the file.
 */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { ok, type Result } from '../core/index.ts';
import type { Problem } from './client.ts';
import { DEFAULT_CONFIG, show } from './connection.ts';
import { type ExitCode, exitingWith, type Io } from './io.ts';
import { createFile } from './new-file.ts';

const SECRET_BYTES = 32;

interface Options {
  readonly config: string;
  readonly json?: true;
}

interface Initialised {
  readonly config_file: string;
  readonly secret_file: string;
  /** Commands to run, in this order. */
  readonly next: readonly string[];
}

export const initCommand = (io: Io): Command =>
  new Command('init')
    .description('write a starter configuration and a secret')
    .option('-c, --config <file>', 'configuration to write', DEFAULT_CONFIG)
    .option('--json', 'print JSON')
    .action(exitingWith((options: Options) => init(io, options)));

async function init(io: Io, options: Options): Promise<ExitCode> {
  const written = await write(resolve(options.config));
  return show(io, options, written, initText);
}

async function write(file: string): Promise<Result<Initialised, Problem>> {
  const secretFile = join(dirname(file), 'secret');
  const config = await createFile(file, starter(file === DEFAULT_CONFIG), 0o644);
  if (!config.ok) return config;
  const secret = await createFile(secretFile, `${randomBytes(SECRET_BYTES).toString('hex')}\n`, 0o600);
  if (!secret.ok) {
    await rm(file);
    return secret;
  }
  return ok({ config_file: file, secret_file: secretFile, next: nextCommands(file) });
}

/** The configuration; relative paths in it start from its directory. */
export function starter(standard: boolean): string {
  return `# Postrider. Every key with its default: config/postrider.example.yaml
hostname: mta1.example.com # name of this host; its A and PTR records must agree
data_dir: ${standard ? '/var/lib/postrider' : 'data'} # queue and journal
secret_file: secret # key of the signed return paths; keep it, or late reports are not recognised
${standard ? '' : 'control: { socket: control.sock } # where the other commands find the server\n'}nodes: # the IP addresses that mail is sent from
  # 127.0.0.1 is a placeholder, nothing leaves the machine from it: put a public address of this machine
  - { name: n1, address: 127.0.0.1, hostname: mta1.example.com }
senders: # who sends: nodes, speed, signatures
  - name: main
    nodes: [{ node: n1 }]
    # dkim: [{ domain: example.com, selector: s1, key_file: keys/example.com.s1.pem }]
    # return_path_domain: bounce.example.com # a domain of yours; reports of it come to mx.listen
`;
}

const nextCommands = (file: string): string[] => [
  `postrider check-config -c ${file}`,
  `postrider dkim generate --domain example.com --selector s1 --out ${join(dirname(file), 'keys/example.com.s1.pem')}`,
  `postrider serve -c ${file}`,
];

function initText({ config_file: config, secret_file: secret, next }: Initialised): string {
  const [check, dkim, serve] = next;
  return `wrote ${config}
wrote ${secret} (only its owner may read it: start the server as this user, or give it the file)

next:
  1. put the names and the address of this machine into ${config}
  2. ${check}
  3. to sign the mail: ${dkim}
  4. ${serve}
`;
}
