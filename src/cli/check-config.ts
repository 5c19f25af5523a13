/** `postrider check-config`: all problems of a configuration at once, or what it holds. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { type Config, type ConfigProblem, formatProblem, loadConfig } from '../config/index.ts';
import { DEFAULT_CONFIG } from './connection.ts';
import { loadTokens } from './secrets.ts';
import { type ExitCode, exitingWith, type Io, paint } from './io.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
}

export const checkConfigCommand = (io: Io): Command =>
  new Command('check-config')
    .description('read a configuration, report everything that is wrong with it')
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .option('--json', 'print JSON')
    .action(exitingWith((options: Options) => checkConfig(io, options)));

async function checkConfig(io: Io, { config: file, json }: Options): Promise<ExitCode> {
  const loaded = await loadConfig(resolve(file));
  const key = loaded.ok ? keyProblem(loaded.value.config) : undefined;
  if (key !== undefined) return refused(io, json, key);
  const errors = loaded.ok ? [] : loaded.error;
  const warnings = loaded.ok ? loaded.value.warnings : [];
  if (json) {
    await io.out(`${JSON.stringify({ ok: loaded.ok, errors, warnings }, undefined, 2)}\n`);
    return loaded.ok ? 0 : 2;
  }
  const line = (kind: string, problem: ConfigProblem): string => `${formatProblem(problem)}${kind}\n`;
  for (const problem of errors) await io.out(line('', problem));
  for (const problem of warnings) await io.out(line(` (${paint(io, 'yellow', 'warning')})`, problem));
  const summary = loaded.ok
    ? `${paint(io, 'green', 'ok')}: ${contents(loaded.value.config, warnings.length)}`
    : paint(io, 'red', counted(errors.length, 'error'));
  await io.out(`${summary}\n`);
  return loaded.ok ? 0 : 2;
}

/** What the server would refuse of the key of the return paths. Asking must not make one. */
function keyProblem({ secretFile }: Config): string | undefined {
  if (!existsSync(secretFile)) return undefined;
  const tokens = loadTokens(secretFile);
  return tokens.ok ? undefined : tokens.error;
}

async function refused(io: Io, json: true | undefined, message: string): Promise<ExitCode> {
  const text = json
    ? JSON.stringify({ ok: false, errors: [{ message }], warnings: [] }, undefined, 2)
    : message;
  await io.out(`${text}\n`);
  return 2;
}

const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

function contents(config: Config, warnings: number): string {
  const parts = [
    counted(config.nodes.length, 'node'),
    counted(config.senders.length, 'sender'),
    counted(config.virtualSenders.length, 'virtual sender'),
    counted(config.isps.length, 'ISP'),
    counted(config.routes.length, 'route'),
  ];
  return [...parts, ...(warnings > 0 ? [counted(warnings, 'warning')] : [])].join(', ');
}
