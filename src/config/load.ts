/**
 * The way of a configuration: files -> tree with places -> draft -> checks -> files it names -> frozen snapshot.
 * Nothing is returned before all problems are known, and with one error nothing but the problems is.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { err, ok, type Result } from '../core/index.ts';
import { checkDraft } from './check.ts';
import { checkFiles, reasonOf } from './files.ts';
import { sortProblems, type ConfigProblem, type Path } from './problem.ts';
import type { Draft } from './draft.ts';
import { readDraft } from './read.ts';
import { Report } from './report.ts';
import { resolveConfig } from './resolve.ts';
import type { Config } from './snapshot.ts';
import { Sources } from './source.ts';

export interface Loaded {
  readonly config: Config;
  readonly warnings: readonly ConfigProblem[];
}

const READ_TIMEOUT_MS = 10_000;
const MAX_FILES = 10_000;

/** Reads a file and what it includes, checks everything and gives the snapshot, or all problems in reading order. */
export async function loadConfig(file: string): Promise<Result<Loaded, ConfigProblem[]>> {
  const report = new Report(new Sources());
  const text = await readText(file);
  if (!text.ok) return err([{ file, line: 0, column: 0, path: '', message: text.error }]);
  report.sources.add(text.value, file);
  await new Includes(report).follow(file);
  const draft = interpret(report);
  if (draft) await checkFiles(draft, report);
  return finish(draft, report);
}

/** The same for one text, without looking at the file system: neither `include` nor named files are read. */
export function parseConfig(
  text: string,
  { file }: { readonly file: string },
): Result<Loaded, ConfigProblem[]> {
  const report = new Report(new Sources());
  report.sources.add(text, file);
  return finish(interpret(report), report);
}

/** The draft and its checks; undefined when a file is not YAML, because all else would follow from that. */
function interpret(report: Report): Draft | undefined {
  if (report.sources.broken) return undefined;
  const draft = readDraft(report.sources.root, report);
  checkDraft(draft, report);
  return draft;
}

function finish(draft: Draft | undefined, report: Report): Result<Loaded, ConfigProblem[]> {
  const errors = [...report.sources.problems, ...report.errors];
  if (errors.length > 0 || !draft) return err(sortProblems(errors));
  return ok({ config: resolveConfig(draft, report.sources), warnings: sortProblems(report.warnings) });
}

async function readText(file: string): Promise<Result<string, string>> {
  try {
    return ok(await readFile(file, { encoding: 'utf8', signal: AbortSignal.timeout(READ_TIMEOUT_MS) }));
  } catch (error) {
    return err(`the file ${reasonOf(error)}`);
  }
}

/** Follows `include` until no file is left; a file counts once, so a circle ends. */
class Includes {
  readonly #report: Report;
  readonly #seen = new Map<string, string>();
  #next = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  async follow(mainFile: string): Promise<void> {
    this.#seen.set(resolve(mainFile), 'as the file given at start');
    for (let name = this.#name(); name !== undefined; name = this.#name()) {
      const path: Path = ['include', this.#next++];
      if (typeof name === 'string' && name !== '') await this.#open(path, name);
    }
  }

  /** Every included file may add names to the list. */
  #name(): unknown {
    return this.#report.sources.at(['include', this.#next]);
  }

  async #open(path: Path, name: string): Promise<void> {
    const { sources } = this.#report;
    const shown = join(dirname(sources.problem(path, '').file), name);
    const file = name.startsWith('/') ? name : shown;
    try {
      const isDirectory = (await stat(sources.absolute(path, name))).isDirectory();
      if (!isDirectory) await this.#add(path, file);
      else for (const one of await filesIn(file)) await this.#add(path, one);
    } catch (error) {
      this.#report.error(path, `${file} ${reasonOf(error)}: create it or remove this entry`);
    }
  }

  async #add(path: Path, file: string): Promise<void> {
    const first = this.#seen.get(resolve(file));
    if (first !== undefined || this.#seen.size >= MAX_FILES) {
      this.#report.error(
        path,
        `${file} was read before, ${first ?? 'and these are too many files'}: remove this entry`,
      );
      return;
    }
    const { sources } = this.#report;
    this.#seen.set(resolve(file), `through ${sources.placeOf(path)}`);
    const text = await readText(file);
    if (text.ok) sources.add(text.value, file);
    else this.#report.error(path, `${file}: ${text.error}`);
  }
}

/** YAML files of a directory in the order of their names. */
async function filesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => /^[^.].*\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(directory, name));
}
