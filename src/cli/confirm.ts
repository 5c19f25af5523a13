/** What cannot be taken back is asked for first, on a terminal; without one it needs `--yes`. */
import type { Command } from 'commander';
import { err, ok, type Result } from '../core/index.ts';
import type { Problem } from './client.ts';
import { clean, type Io } from './io.ts';

export interface ConfirmOptions {
  readonly dryRun?: true;
  readonly yes?: true;
}

/** `what` it says with `--dry-run`. */
export const withConfirmation = (command: Command, what: string): Command =>
  command.option('--dry-run', `only say ${what}`).option('--yes', 'do not ask');

/** There is a terminal to ask on; where nothing fits there is nothing to ask. */
export const asks = ({ columns }: Pick<Io, 'columns'>, { yes }: ConfirmOptions): boolean =>
  !yes && columns !== undefined;

/** False: it was asked for, and the answer was no. */
export async function confirmed(
  io: Io,
  { yes }: ConfirmOptions,
  question: string,
): Promise<Result<boolean, Problem>> {
  if (yes) return ok(true);
  if (io.columns === undefined) {
    const message = `${question} There is no terminal to ask on: add --yes, or --dry-run to see what fits`;
    return err({ exitCode: 2, code: 'not_confirmed', message, lines: [] });
  }
  io.err(`${clean(question)} [y/N] `);
  let text = '';
  for await (const chunk of io.stdin()) {
    text += chunk.toString();
    if (text.includes('\n')) break;
  }
  const agreed = /^y(es)?$/i.test(text.trim());
  if (!agreed) io.err('nothing was done\n');
  return ok(agreed);
}
