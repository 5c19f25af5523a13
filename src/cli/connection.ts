/** The options that all commands towards a running server have, and how their results are shown. */
import { existsSync } from 'node:fs';
import { access, constants, readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { parse } from 'yaml';
import { loadConfig } from '../config/index.ts';
import type { Result } from '../core/index.ts';
import { ControlClient, type Problem } from './client.ts';
import { folded } from './fold.ts';
import { clean, type ExitCode, type Io, paint } from './io.ts';
import { fileProblem } from './new-file.ts';

export const DEFAULT_CONFIG = '/etc/postrider/postrider.yaml';
const DEFAULT_SOCKET = '/run/postrider/control.sock';

export interface ConnectionOptions {
  readonly config?: string;
  readonly socket?: string;
  readonly json?: true;
}

export const withConnection = (command: Command): Command =>
  command
    .option('-c, --config <file>', `configuration that names the control socket (default: ${DEFAULT_CONFIG})`)
    .option('--socket <path>', 'control socket (default: $POSTRIDER_SOCKET, then the configuration)')
    .option('--json', 'print JSON');

/** Throws for a configuration that is named and cannot be read: the socket it names is not the usual one. */
export async function connect(io: Io, options: ConnectionOptions): Promise<ControlClient> {
  if (options.config !== undefined && options.socket === undefined) await readable(options.config);
  const configFile = options.config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined);
  const socketPath =
    options.socket ??
    (options.config === undefined ? io.env.POSTRIDER_SOCKET : undefined) ??
    (configFile === undefined ? DEFAULT_SOCKET : await socketOf(configFile));
  return new ControlClient({ socketPath, configFile });
}

async function readable(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    const { message } = fileProblem(error, file);
    throw new InvalidArgumentError(`${message}; without it name the control socket with --socket`);
  }
}

/**
 * The control socket that a configuration names. A configuration with errors (being edited, or with key files that
 * this user may not read) must not keep anybody from asking the running server, so then only this key is read.
 */
export async function socketOf(configFile: string): Promise<string> {
  const loaded = await loadConfig(configFile);
  if (loaded.ok) return loaded.value.config.control.socket;
  try {
    const document = parse(await readFile(configFile, 'utf8')) as { control?: { socket?: unknown } } | null;
    const socket = document?.control?.socket;
    if (typeof socket === 'string') return resolve(dirname(configFile), socket);
  } catch {
    // Neither YAML nor readable: the default is the best guess.
  }
  return DEFAULT_SOCKET;
}

/** Prints a result, as JSON or as `render` puts it, or the problem. */
export async function show<T>(
  io: Io,
  { json }: Pick<ConnectionOptions, 'json'>,
  result: Result<T, Problem>,
  render: (value: T) => string,
): Promise<ExitCode> {
  if (!result.ok) return fail(io, { json }, result.error);
  await io.out(
    json ? `${JSON.stringify(result.value, undefined, 2)}\n` : folded(render(result.value), io.columns),
  );
  return 0;
}

export async function fail(
  io: Io,
  { json }: Pick<ConnectionOptions, 'json'>,
  { exitCode, code, message, lines }: Problem,
): Promise<ExitCode> {
  const details = lines.length > 0 ? { details: lines } : {};
  if (json) await io.out(`${JSON.stringify({ error: { code, message, ...details } }, undefined, 2)}\n`);
  else {
    const text = [...lines.map(clean), `${paint(io, 'red', 'error')}: ${clean(message)}`, ''].join('\n');
    io.err(folded(text, io.columns));
  }
  return exitCode;
}
