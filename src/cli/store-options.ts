/** The options of the commands that work on the store itself, with or without a server, and where that store is. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { loadConfig } from '../config/index.ts';
import { DEFAULT_CONFIG } from './connection.ts';

const DEFAULT_DATA_DIR = '/var/lib/postrider';

export interface StoreOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: true;
}

export const withStore = (command: Command): Command =>
  command
    .option('-c, --config <file>', `configuration that names data_dir (default: ${DEFAULT_CONFIG})`)
    .option('--data-dir <dir>', 'data directory (default: the one of the configuration)')
    .option('--json', 'print JSON');

/** As with the control socket, a configuration with errors is good enough to find the directory. */
export async function dataDirOf({ config, dataDir }: StoreOptions): Promise<string> {
  if (dataDir !== undefined) return resolve(dataDir);
  const file = config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined);
  if (file === undefined) return DEFAULT_DATA_DIR;
  const loaded = await loadConfig(file);
  if (loaded.ok) return loaded.value.config.dataDir;
  try {
    const document = parse(await readFile(file, 'utf8')) as { data_dir?: unknown } | null;
    if (typeof document?.data_dir === 'string') return resolve(dirname(file), document.data_dir);
  } catch {
    // Neither YAML nor readable: the default is the best guess.
  }
  return DEFAULT_DATA_DIR;
}

/** The key of the return paths, which a copy of the store is of little use without: by default in the data directory. */
export async function secretFileOf({ config, dataDir }: StoreOptions): Promise<string> {
  const file = config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined);
  const loaded = dataDir === undefined && file !== undefined ? await loadConfig(file) : undefined;
  if (loaded?.ok) return loaded.value.config.secretFile;
  return join(await dataDirOf({ ...(config && { config }), ...(dataDir && { dataDir }) }), 'secret');
}
