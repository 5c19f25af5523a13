/**
 * The stop list as CSV. Both ways work in pages, so a file of millions costs no more memory than one of a hundred; an
 * import that breaks off may be repeated, because adding an entry twice is adding it once.
 */
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { SingleBar } from 'cli-progress';
import { CsvError, parse } from 'csv-parse';
import { stringify } from 'csv-stringify/sync';
import type { StopEntryView, StopListChange, StopListView } from '../api/index.ts';
import { err, ok, type Result } from '../core/index.ts';
import type { ControlClient, Problem } from './client.ts';
import { connect, type ConnectionOptions, fail } from './connection.ts';
import { clean, type ExitCode, type Io } from './io.ts';
import { fileProblem } from './new-file.ts';
import { targetOf } from './stop-list-target.ts';

export interface ImportOptions extends ConnectionOptions {
  readonly account?: string;
  readonly source: string;
  readonly reason?: string;
}

export interface ExportOptions extends ConnectionOptions {
  readonly output?: string;
  readonly account?: string;
}

const COLUMNS = ['entry', 'account_id', 'source', 'reason', 'added', 'expires'] as const;
type Column = (typeof COLUMNS)[number];
const PAGE = 2_000;
/** Rejected lines that are named. */
const NAMED = 20;

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
}

export async function importFile(io: Io, file: string, options: ImportOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const source = file === '-' ? ok(io.stdin()) : openFile(file);
  if (!source.ok) return fail(io, options, source.error);
  const bytes = file === '-' ? 0 : statSync(file).size;
  const bar = progress(io, bytes);
  const run = new Import(client, options);
  try {
    for await (const row of rows(source.value, (read) => bar?.update(read))) await run.take(row);
    await run.flush();
  } catch (error) {
    bar?.stop();
    return fail(io, options, problemOf(error, file));
  }
  bar?.stop();
  return report(io, options, run);
}

/** Ends the import; carries a problem through the loop. */
class Broken extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

class Import {
  readonly #client: ControlClient;
  readonly #options: ImportOptions;
  #columns: readonly (Column | undefined)[] = ['entry', 'account_id', 'source', 'reason', 'expires'];
  #first = true;
  #page: { readonly line: number; readonly entry: object }[] = [];
  added = 0;
  rejected = 0;
  readonly named: { readonly line: number; readonly message: string }[] = [];

  constructor(client: ControlClient, options: ImportOptions) {
    this.#client = client;
    this.#options = options;
  }

  async take({ line, cells }: Row): Promise<void> {
    if (this.#first && this.#isHead(cells)) return;
    this.#first = false;
    const cell = (name: Column): string | undefined =>
      cells[this.#columns.indexOf(name)]?.trim() || undefined;
    const { account, source, reason } = this.#options;
    const entry = {
      ...targetOf(cell('entry') ?? ''),
      account_id: cell('account_id') ?? account,
      source: cell('source') ?? source,
      reason: cell('reason') ?? reason,
      expires: cell('expires'),
    };
    if (this.#page.push({ line, entry }) >= PAGE) await this.flush();
  }

  async flush(): Promise<void> {
    const page = this.#page;
    this.#page = [];
    if (page.length === 0) return;
    const result = await this.#client.post<StopListChange>('/v1/stop-list', {
      entries: page.map(({ entry }) => entry),
    });
    if (result.ok) {
      this.added += result.value.added ?? 0;
      for (const { index, field, message } of result.value.rejected)
        this.#reject(page[index]!.line, `${field} ${message}`);
    } else throw new Broken(result.error);
  }

  /** A first line that names columns. */
  #isHead(cells: readonly string[]): boolean {
    this.#first = false;
    const names = cells.map((cell) => cell.trim().toLowerCase());
    const known = names.map((name) =>
      name === 'address' || name === 'email' || name === 'value'
        ? 'entry'
        : COLUMNS.find((column) => column === name),
    );
    if (!known.includes('entry')) return false;
    this.#columns = known;
    return true;
  }

  #reject(line: number, message: string): void {
    this.rejected++;
    if (this.named.length < NAMED) this.named.push({ line, message });
  }
}

/** Lines of a CSV file with their numbers; `read` hears of the bytes so far. */
async function* rows(source: AsyncIterable<Buffer>, read: (bytes: number) => void): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
    info: true,
    max_record_size: 10_000,
  });
  const feed = async (): Promise<void> => {
    let bytes = 0;
    for await (const chunk of source) {
      read((bytes += chunk.length));
      if (!parser.write(chunk)) await once(parser, 'drain');
    }
    parser.end();
  };
  const feeding = feed().catch((error: unknown) => void parser.destroy(error as Error));
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>)
    yield { line: info.lines, cells: record };
  await feeding;
}

function openFile(file: string): Result<AsyncIterable<Buffer>, Problem> {
  try {
    statSync(file);
    return ok(createReadStream(file));
  } catch (error) {
    return err(fileProblem(error, file));
  }
}

function problemOf(error: unknown, file: string): Problem {
  if (error instanceof Broken) return error.problem;
  if (error instanceof CsvError)
    return { exitCode: 2, code: 'csv', message: `${file} is not CSV: ${error.message}`, lines: [] };
  return fileProblem(error, file);
}

/** On a terminal and where the size is known. */
function progress(io: Io, bytes: number): SingleBar | undefined {
  if (io.columns === undefined || bytes === 0) return undefined;
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {value} of {total} bytes',
    stream: process.stderr,
  });
  bar.start(bytes, 0);
  return bar;
}

async function report(io: Io, options: ImportOptions, { added, rejected, named }: Import): Promise<ExitCode> {
  if (options.json) await io.out(`${JSON.stringify({ added, rejected, lines: named })}\n`);
  else {
    const lines = named.map(({ line, message }) => `line ${line}: ${clean(message)}`);
    const more = rejected > named.length ? [`and ${rejected - named.length} more`] : [];
    await io.out([...lines, ...more, `${added} added, ${rejected} rejected`, ''].join('\n'));
  }
  return rejected > 0 ? 1 : 0;
}

export async function exportFile(io: Io, options: ExportOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const out =
    options.output === undefined
      ? undefined
      : createWriteStream(options.output, { flags: 'wx', mode: 0o640 });
  const write = async (text: string): Promise<void> => {
    if (!out) await io.out(text);
    else if (!out.write(text)) await once(out, 'drain');
  };
  try {
    if (out) await once(out, 'open');
    const failed = await exportPages(client, options, write);
    if (failed) return await fail(io, options, failed);
    out?.end();
    if (out) await finished(out);
    return 0;
  } catch (error) {
    return fail(io, options, fileProblem(error, options.output ?? 'standard output'));
  }
}

async function exportPages(
  client: ControlClient,
  { account }: ExportOptions,
  write: (text: string) => Promise<void>,
): Promise<Problem | undefined> {
  await write(stringify([[...COLUMNS]]));
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({
      limit: '5000',
      ...(account && { account_id: account }),
      ...(cursor && { cursor }),
    });
    const page = await client.get<StopListView>(`/v1/stop-list?${query.toString()}`);
    if (!page.ok) return page.error;
    await write(stringify(page.value.entries.map(cellsOf)));
    cursor = page.value.next;
  } while (cursor !== undefined);
  return undefined;
}

const cellsOf = (entry: StopEntryView): (string | undefined)[] => [
  entry.address ?? entry.domain ?? entry.pattern,
  entry.account_id,
  entry.source,
  entry.reason,
  entry.added,
  entry.expires,
];
