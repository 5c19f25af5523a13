/**
 * The lines of a batch on their way to the injector: checked one by one, gathered into chunks, at most two chunks
 * under way, acknowledged in order. A line is either in a committed chunk or named in `rejected`, never neither.
 *
 * Failure: when the store refuses a chunk, or a line is not the one that was committed under the same idempotency key,
 * nothing after it is acknowledged and `failure` says why.
 */
import { isUtf8 } from 'node:buffer';
import { err, ok, type Result } from '../core/index.ts';
import type { Batch, BatchLine, RejectedLine } from '../mta/ingress/index.ts';
import { parseTime } from '../mta/ingress/index.ts';
import type { InputLine } from './input-lines.ts';
import { batchLine } from './schemas.ts';
import { check } from './shape.ts';

export const MAX_LINE_BYTES = 1024 * 1024;
/** Enough lines to share a commit's sync, few enough that a chunk does not hold the process for long. */
const CHUNK_LINES = 500;
const CHUNK_BYTES = 4 * MAX_LINE_BYTES;
const UNDER_WAY = 2;

/** Why no more lines are taken. */
export type ChunkFailure =
  | { readonly kind: 'store'; readonly error: unknown }
  | { readonly kind: 'changed'; readonly line: RejectedLine };

export interface Ack {
  readonly acked_through: number;
  readonly rejected: readonly RejectedLine[];
}

interface Chunk {
  readonly lines: BatchLine[];
  readonly rejected: RejectedLine[];
  bytes: number;
  last: number;
}

const emptyChunk = (): Chunk => ({ lines: [], rejected: [], bytes: 0, last: 0 });

export class BatchChunks {
  readonly #batch: Batch;
  readonly #now: () => number;
  readonly #ack: (ack: Ack) => Promise<void>;
  #chunk = emptyChunk();
  readonly #underWay: Promise<void>[] = [];
  #bytesUnderWay = 0;
  #failure: ChunkFailure | undefined;
  accepted = 0;
  rejected = 0;
  ackedThrough = 1;

  constructor(batch: Batch, now: () => number, ack: (ack: Ack) => Promise<void>) {
    this.#batch = batch;
    this.#now = now;
    this.#ack = ack;
  }

  /** Why no more is taken; undefined while all is well. */
  get failure(): ChunkFailure | undefined {
    return this.#failure;
  }

  /** Of the lines that are not committed yet. */
  get heldBytes(): number {
    return this.#chunk.bytes + this.#bytesUnderWay;
  }

  /** Takes the lines that arrived; waits while two chunks are under way and a third is full. */
  async take(lines: readonly InputLine[]): Promise<void> {
    for (const line of lines) {
      if (this.#failure) return;
      this.#add(line);
      if (this.#chunk.lines.length + this.#chunk.rejected.length >= CHUNK_LINES) await this.#send();
      else if (this.#chunk.bytes >= CHUNK_BYTES) await this.#send();
    }
    this.#start();
  }

  /** Sends what is gathered and waits until all is committed and acknowledged. */
  async finish(): Promise<void> {
    await this.#send();
    while (this.#underWay.length > 0) await this.#underWay[0];
  }

  /** Waits for the chunks under way, and sends no more. */
  async abandon(): Promise<void> {
    this.#chunk = emptyChunk();
    while (this.#underWay.length > 0) await this.#underWay[0];
  }

  #add({ number, bytes }: InputLine): void {
    const line = bytes ? parseLine(number, bytes, this.#now()) : tooLong(number);
    if (line.ok) this.#chunk.lines.push(line.value);
    else this.#chunk.rejected.push(line.error);
    this.#chunk.bytes += bytes?.length ?? 0;
    this.#chunk.last = number;
  }

  async #send(): Promise<void> {
    while (this.#chunk.last !== 0 && this.#underWay.length >= UNDER_WAY) await this.#underWay[0];
    this.#start();
  }

  /** Sends what is gathered if there is room, and what is gathered meanwhile as soon as there is. */
  #start(): void {
    const chunk = this.#chunk;
    if (chunk.last === 0 || this.#failure || this.#underWay.length >= UNDER_WAY) return;
    this.#chunk = emptyChunk();
    const sent = this.#commit(chunk, this.#underWay.at(-1));
    this.#underWay.push(sent);
    this.#bytesUnderWay += chunk.bytes;
    void sent.then(() => {
      void this.#underWay.shift();
      this.#bytesUnderWay -= chunk.bytes;
      this.#start();
    });
  }

  /** Never rejects. Chunks end in the order they were sent, because each waits for the one before. */
  async #commit({ lines, rejected, last }: Chunk, before: Promise<void> | undefined): Promise<void> {
    const added = await this.#tryAdd(lines);
    await before;
    if (this.#failure) return;
    if (!added.ok) {
      this.#failure = { kind: 'store', error: added.error };
      return;
    }
    const changed = added.value.find((line) => line.changed);
    if (changed) {
      this.#failure = { kind: 'changed', line: changed };
      return;
    }
    const all = [...rejected, ...added.value].sort((a, b) => a.line - b.line);
    this.accepted += lines.length - added.value.length;
    this.rejected += all.length;
    this.ackedThrough = last;
    try {
      await this.#ack({ acked_through: last, rejected: all });
    } catch (error) {
      this.#failure = { kind: 'store', error };
    }
  }

  async #tryAdd(lines: readonly BatchLine[]): Promise<Result<readonly RejectedLine[], unknown>> {
    try {
      return ok(lines.length > 0 ? await this.#batch.add(lines) : []);
    } catch (error) {
      return err(error);
    }
  }
}

/** JSON.parse counts lines too; here there is one, and its number is another. */
const withoutLine = (message: string): string => message.replace(/ \(line 1 column \d+\)$/, '');

const tooLong = (line: number): Result<BatchLine, RejectedLine> =>
  err({ line, field: '', message: `the line is longer than ${MAX_LINE_BYTES} bytes` });

interface PlainLine {
  readonly to: string;
  readonly vars?: Readonly<Record<string, string | number | boolean | null>>;
}

/** A quarter of what the schema allows for an address. */
const PLAIN_BYTES = 500;

/**
 * Whether it is what most lines are: short, an address and flat variables. The schema would say yes, and takes as long
 * for it as the rest of a line.
 */
function isPlain(value: unknown, bytes: Buffer): value is PlainLine {
  if (bytes.length > PLAIN_BYTES || typeof value !== 'object' || value === null) return false;
  for (const name in value) if (name !== 'to' && name !== 'vars') return false;
  const { to, vars } = value as { readonly to?: unknown; readonly vars?: unknown };
  if (typeof to !== 'string') return false;
  if (vars === undefined) return true;
  if (typeof vars !== 'object' || vars === null || Array.isArray(vars)) return false;
  for (const one of Object.values(vars)) if (typeof one === 'object' && one !== null) return false;
  return true;
}

function parseLine(line: number, bytes: Buffer, now: number): Result<BatchLine, RejectedLine> {
  if (!isUtf8(bytes)) return err({ line, field: '', message: 'the line is not UTF-8' });
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    return err({
      line,
      field: '',
      message: `the line is not JSON: ${withoutLine((error as Error).message)}`,
    });
  }
  if (isPlain(value, bytes)) return ok({ line, ...value, source: bytes });
  const checked = check(batchLine, value);
  if (!checked.ok) return err({ line, ...checked.error[0]! });
  const { to, vars, metadata, not_before, deadline } = checked.value;
  const [notBefore, until] = [not_before, deadline].map((text) =>
    text === undefined ? undefined : parseTime(text, now),
  );
  return ok({ line, to, vars, metadata, notBefore, deadline: until, source: bytes });
}
