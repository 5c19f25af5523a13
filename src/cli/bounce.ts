/** `postrider bounce classify`: what a reply means, which pattern says so, and which others would. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { Classifier, type CompiledPattern, lineOf, typeOf } from '../bounce/index.ts';
import { formatProblem, loadConfig } from '../config/index.ts';
import { type Bounce, err, ok, type Reply, type Result, splitEnhanced } from '../core/index.ts';
import type { Problem } from './client.ts';
import { DEFAULT_CONFIG, fail, show } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io } from './io.ts';
import { fileProblem } from './new-file.ts';

interface Options {
  readonly file?: string;
  readonly isp?: string;
  readonly config?: string;
  readonly json?: true;
}

interface Verdict extends Bounce {
  readonly reply: string;
  readonly permanent: boolean;
  /** Where the pattern is from; absent when the codes decided. */
  readonly from?: 'configuration' | 'shipped';
  readonly message?: string;
  readonly source?: string;
  /** Patterns that match too and come later. */
  readonly also: readonly string[];
}

const MAX_ALSO = 5;

export function bounceCommand(io: Io): Command {
  const classifying = new Command('classify')
    .description('say what a reply means and which pattern decides')
    .argument('[reply...]', 'reply as the receiver sent it: 550 5.1.1 no such user')
    .option('-f, --file <file>', 'file with one reply a line, - for standard input')
    .option('--isp <name>', 'ISP that sent it')
    .option(
      '-c, --config <file>',
      `configuration with patterns of its own (default: ${DEFAULT_CONFIG}, if present)`,
    )
    .option('--json', 'print JSON')
    .action(exitingWith((words: string[], options: Options) => classify(io, words, options)));
  return new Command('bounce').description('replies of receivers').addCommand(classifying);
}

async function classify(io: Io, words: readonly string[], options: Options): Promise<ExitCode> {
  const classifier = await classifierOf(options);
  if (!classifier.ok) return fail(io, options, classifier.error);
  const replies = await repliesOf(io, words, options);
  if (!replies.ok) return fail(io, options, replies.error);
  const verdicts = replies.value.map((text) => verdictOf(classifier.value, text, options.isp));
  if (options.file === undefined) return show(io, options, ok(verdicts[0]!), explained);
  return show(io, options, ok({ counts: counted(verdicts), replies: verdicts }), listed);
}

async function classifierOf({ config, isp }: Options): Promise<Result<Classifier, Problem>> {
  const file = config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined);
  if (file === undefined) return ok(new Classifier());
  const loaded = await loadConfig(resolve(file));
  if (!loaded.ok) return err(usage(`${file} has errors`, loaded.error.map(formatProblem)));
  const known = loaded.value.config.isps.map(({ name }) => name);
  if (isp !== undefined && !known.includes(isp))
    return err(usage(`${file} has no ISP ${isp}: ${known.join(', ')}`));
  return ok(new Classifier({ own: loaded.value.config.bouncePatterns }));
}

const usage = (message: string, lines: readonly string[] = []): Problem => ({
  exitCode: 2,
  code: 'usage',
  message,
  lines: [...lines],
});

async function repliesOf(
  io: Io,
  words: readonly string[],
  { file }: Options,
): Promise<Result<string[], Problem>> {
  if (file === undefined)
    return words.length > 0
      ? ok([words.join(' ')])
      : err(usage('give a reply, or a file of replies with --file'));
  try {
    const text = file === '-' ? await all(io.stdin()) : await readFile(file, 'utf8');
    return ok(text.split(/\r?\n/).filter((line) => line.trim() !== ''));
  } catch (error) {
    return err(fileProblem(error, file));
  }
}

async function all(input: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of input) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

function verdictOf(classifier: Classifier, text: string, isp: string | undefined): Verdict {
  const reply = readReply(text);
  const permanent = reply.code >= 500;
  const refusal = { scope: 'recipient', permanent, phase: 'rcpt', reply, cause: undefined, text } as const;
  const bounce = classifier.classify(refusal, isp);
  const line = lineOf(reply.code, reply.enhanced, reply.text);
  const [first, ...others] = classifier.explain(line, isp);
  return {
    reply: line,
    permanent,
    ...bounce,
    ...(first && aboutPattern(first)),
    also: others.slice(0, MAX_ALSO).map(nameOf),
  };
}

const nameOf = ({ pattern }: CompiledPattern): string => pattern.name;

function aboutPattern({ pattern, own }: CompiledPattern): Pick<Verdict, 'from' | 'message' | 'source'> {
  const { message, source } = pattern;
  return {
    from: own ? 'configuration' : 'shipped',
    ...(message !== undefined && { message }),
    ...(source !== undefined && { source }),
  };
}

/** Lines of a reply may be joined (`550-5.1.1 no 550 5.1.1 user`); without a code it is read as 550. */
function readReply(text: string): Reply {
  const coded = /^\s*([245]\d\d)(?:[ -]|$)/.exec(text);
  const rest = coded ? text.slice(coded[0].length) : text.trim();
  return { code: coded ? Number(coded[1]) : 550, ...splitEnhanced(rest) };
}

function explained(verdict: Verdict): string {
  const { reply, category, pattern, permanent } = verdict;
  const why =
    pattern === undefined ? 'no pattern knows it: its codes decide' : `pattern ${pattern} (${verdict.from})`;
  return [
    `reply     ${clean(reply)}`,
    `class     ${verdict.class} (${typeOf(verdict.class)}), ${permanent ? 'permanent' : 'temporary'}`,
    `category  ${category}`,
    `because   ${why}`,
    ...(verdict.message === undefined ? [] : [`meaning   ${verdict.message}`]),
    ...(verdict.source === undefined ? [] : [`source    ${verdict.source}`]),
    ...(verdict.also.length === 0 ? [] : [`also      ${verdict.also.join(', ')}`]),
    '',
  ].join('\n');
}

function counted(verdicts: readonly Verdict[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { class: bounceClass, category } of verdicts) {
    const key = `${bounceClass} ${category}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).sort((a, b) => b[1] - a[1]));
}

function listed({
  counts,
  replies,
}: {
  readonly counts: Record<string, number>;
  readonly replies: readonly Verdict[];
}): string {
  const lines = replies.map(
    (one) =>
      `${`${one.class} ${one.category}`.padEnd(24)} ${(one.pattern ?? '-').padEnd(28)} ${clean(one.reply).slice(0, 160)}`,
  );
  const sums = Object.entries(counts).map(([name, count]) => `${String(count).padStart(8)}  ${name}`);
  return [...lines, '', ...sums, ''].join('\n');
}
