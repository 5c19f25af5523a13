/**
 * Walks a store in a child process: LMDB trusts its pages, so a damaged one can end the process that reads it. The
 * child is this program with the hidden command `walk`; it prints one JSON value.
 */
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { err, ok, type Result } from '../core/index.ts';
import { audit, type AuditReport, type Expected, openLmdbReader, STORE_FILE } from '../queue/index.ts';
import type { Io } from './io.ts';

/** Mail goes first. */
const NICE = 10;

/** Audits the store of a data directory, until the signal ends it. The error is a sentence for people. */
export async function auditInChild(
  dataDir: string,
  expected?: Expected,
  signal?: AbortSignal,
): Promise<Result<AuditReport, string>> {
  const file = join(dataDir, STORE_FILE);
  const told = await runChild([file, JSON.stringify(expected ?? null)], signal);
  if (told.signal !== null)
    return err(
      `the walk through ${file} was ended by ${told.signal}: a page is damaged, or memory is short; "postrider salvage DIR" copies what is readable into another directory`,
    );
  const answer = parse(told.out);
  if (!answer) return err(`the walk through ${file} failed: ${told.err.trim()}`);
  return 'error' in answer ? err(answer.error) : ok(answer);
}

interface Told {
  readonly out: string;
  readonly err: string;
  readonly signal: string | null;
}

function runChild(args: readonly string[], signal?: AbortSignal): Promise<Told> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, 'walk', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(signal && { signal }),
    });
    const told = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (told.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (told.err += text));
    child.on('error', (error) => resolve({ ...told, err: error.message, signal: null }));
    child.on('close', (_code, signal) => resolve({ ...told, signal }));
  });
}

type Answer = AuditReport | { readonly error: string };

function parse(text: string): Answer | undefined {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return undefined;
  }
}

/** The child's side. */
export const walkCommand = (io: Io): Command =>
  new Command('walk')
    .description('walk a store and print what was found as JSON (used by other commands)')
    .argument('<file>')
    .argument('<expected>')
    .action(async (file: string, expected: string) => {
      setPriority(NICE);
      await io.out(JSON.stringify(await walk(file, JSON.parse(expected) as Expected | null)));
    });

async function walk(file: string, expected: Expected | null): Promise<Answer> {
  try {
    const kv = openLmdbReader(file);
    const report = audit(kv, { expected: expected ?? undefined });
    await kv.close();
    return report;
  } catch (error) {
    return { error: (error as Error).message };
  }
}
