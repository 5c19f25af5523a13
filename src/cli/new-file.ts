/** Files that a command makes and never overwrites. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { err, ok, type Result } from '../core/index.ts';
import type { Problem } from './client.ts';

/** Writes a new file and the directories on the way to it. The umask may only take rights away from `mode`. */
export async function createFile(path: string, text: string, mode: number): Promise<Result<void, Problem>> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { mode, flag: 'wx', flush: true });
    return ok(undefined);
  } catch (error) {
    return err(fileProblem(error, path));
  }
}

export function fileProblem(error: unknown, path: string): Problem {
  const { code, message } = error as NodeJS.ErrnoException;
  const sentence =
    code === 'EEXIST'
      ? `${path} exists and is not overwritten: choose another name or move it away`
      : `${path}: ${message}`;
  return { exitCode: 2, code: code === 'EEXIST' ? 'exists' : 'file', message: sentence, lines: [] };
}
