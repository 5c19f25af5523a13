/**
 * The delivery log: what the journal says of deliveries, as JSON lines in a file, with a rotation and retention of its
 * own.
 *
 * It follows the journal and goes on after the last whole line that is in its files, so neither a crash nor a full disk
 * loses or repeats a line; a line that a crash tore is taken away first. Old files are named FILE.TIME-SEQ, by when they
 * ended and their last line. It looks once a second, so a busy server pays for reading slices, not for each commit.
 */
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DeliveryLogConfig, LogConfig } from '../config/index.ts';
import { type Clock, domainOf, type Event, systemClock, withoutNames } from '../core/index.ts';
import type { Queue } from '../queue/index.ts';
import { makeDirectory } from './assembly.ts';

const PAUSE_MS = 1_000;
const RETRY_MS = 5_000;
/** Bounds of a slice: the event loop belongs to the mail. */
const SLICE_LINES = 500;
const SLICE_CHARS = 512 * 1024;
/** The last line is somewhere in so many bytes. */
const TAIL_BYTES = 4 * 1024 * 1024;
/** How a line begins, as the journal writes it. */
const LINE_START = '{"seq":';
const OLD_NAME = /^(\d{13})-(\d+)$/;

export interface DeliveryLogOptions extends DeliveryLogConfig {
  readonly file: string;
  readonly recipients: boolean;
  readonly journal: Pick<Queue['state']['journal'], 'first' | 'last' | 'lines' | 'waitFor' | 'readers'>;
  readonly clock: Clock;
  readonly log: { error(details: object, text: string): void; warn(details: object, text: string): void };
}

interface Old {
  readonly path: string;
  readonly seq: number;
  readonly bytes: number;
  /** When it ended (wall ms). */
  readonly at: number;
}

/** Undefined where none is configured. */
export function deliveryLogOf(
  { deliveries, recipients }: Pick<LogConfig, 'deliveries' | 'recipients'>,
  journal: DeliveryLogOptions['journal'],
  log: DeliveryLogOptions['log'],
): DeliveryLog | undefined {
  const { file } = deliveries;
  return file === null
    ? undefined
    : new DeliveryLog({ ...deliveries, file, recipients, journal, clock: systemClock, log });
}

export class DeliveryLog {
  readonly #options: DeliveryLogOptions;
  readonly #stop = new AbortController();
  #after = 0;
  #bytes = 0;
  /** When the file that is written now was begun (wall ms). */
  #begun = 0;
  #running: Promise<void> = Promise.resolve();
  /** Where to go on is known; nothing is written before. */
  #opened = false;
  #failing = false;

  constructor(options: DeliveryLogOptions) {
    this.#options = options;
  }

  start(): void {
    const { readers } = this.#options.journal;
    const done = readers.add({ name: 'delivery log', position: () => this.#after });
    this.#running = this.#run().finally(done);
  }

  /** Writes what is in the journal by now, and ends. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#opened) await this.#attempt(() => this.write());
  }

  async #run(): Promise<void> {
    const { journal } = this.#options;
    const { signal } = this.#stop;
    await this.#attempt(() => this.open());
    while (!signal.aborted) {
      const done = this.#opened && (await this.#attempt(() => this.write()));
      await delay(done ? PAUSE_MS : RETRY_MS, undefined, { signal }).catch(() => undefined);
      if (!this.#opened && !signal.aborted) await this.#attempt(() => this.open());
      else await journal.waitFor(this.#after, signal);
    }
  }

  /** Whether it went well; trouble is told once. */
  async #attempt(work: () => void | Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#failing = false;
      return true;
    } catch (error) {
      const text = `the delivery log cannot be written, tried again: ${(error as Error).message}`;
      if (!this.#failing) this.#options.log.error({ file: this.#options.file }, text);
      this.#failing = true;
      return false;
    }
  }

  /** Finds where to go on. */
  open(): void {
    const { file, journal, log, clock } = this.#options;
    makeDirectory(dirname(file));
    this.#begun = clock.now();
    this.#after = this.#mend() ?? this.#old()[0]?.seq ?? 0;
    if (this.#after > journal.last) {
      log.warn({ file }, 'the delivery log is of another store: a new file is begun');
      if (this.#bytes > 0) this.#rotate();
      this.#after = 0;
    }
    if (this.#after > 0 && journal.first > this.#after + 1)
      log.warn(
        { file, from: this.#after, to: journal.first },
        'the journal has forgotten events that the delivery log has not',
      );
    this.#opened = true;
  }

  /** Writes what there is. */
  async write(): Promise<void> {
    for (;;) {
      if (this.#bytes > 0 && this.#isOver()) this.#rotate();
      const { text, last } = this.#slice();
      if (last === this.#after) return;
      if (text !== '') {
        await this.#append(text);
        this.#bytes += Buffer.byteLength(text);
      }
      this.#after = last;
    }
  }

  /** What was written of a text that did not fit is taken back, so that it can be written again. */
  async #append(text: string): Promise<void> {
    const { file } = this.#options;
    if (this.#bytes === 0) this.#begun = this.#options.clock.now();
    try {
      await appendFile(file, text, { mode: 0o640 });
    } catch (error) {
      if (statSync(file, { throwIfNoEntry: false })) truncateSync(file, this.#bytes);
      throw error;
    }
  }

  #slice(): { text: string; last: number } {
    let [text, last, read] = ['', this.#after, 0];
    for (const { seq, line } of this.#options.journal.lines(this.#after)) {
      last = seq;
      if (line.includes('"delivery_id":')) text += `${this.#options.recipients ? line : anonymous(line)}\n`;
      if (++read >= SLICE_LINES || text.length >= SLICE_CHARS) break;
    }
    return { text, last };
  }

  #isOver(): boolean {
    const { rotateBytes, rotateAgeMs, clock } = this.#options;
    return this.#bytes >= rotateBytes || clock.now() - this.#begun >= rotateAgeMs;
  }

  #rotate(): void {
    const { file } = this.#options;
    renameSync(file, `${file}.${this.#options.clock.now()}-${this.#after}`);
    this.#bytes = 0;
    this.#forget();
  }

  /** Removes old files, the oldest first. */
  #forget(): void {
    const { keepAgeMs, keepBytes, clock } = this.#options;
    let bytes = 0;
    for (const one of this.#old()) {
      bytes += one.bytes;
      if (bytes > keepBytes || clock.now() - one.at > keepAgeMs) rmSync(one.path, { force: true });
    }
  }

  /** The newest first. */
  #old(): Old[] {
    const { file } = this.#options;
    const start = `${basename(file)}.`;
    return readdirSync(dirname(file))
      .filter((name) => name.startsWith(start))
      .flatMap((name) => {
        const [, at, seq] = OLD_NAME.exec(name.slice(start.length)) ?? [];
        const path = join(dirname(file), name);
        return at === undefined
          ? []
          : [{ path, at: Number(at), seq: Number(seq), bytes: statSync(path).size }];
      })
      .sort((a, b) => b.at - a.at || b.seq - a.seq);
  }

  /** Takes a torn end off the file; gives the number of its last line, undefined for none. */
  #mend(): number | undefined {
    const { file } = this.#options;
    this.#bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (this.#bytes === 0) return undefined;
    const tail = readTail(file, this.#bytes);
    const lines = tail.toString('latin1').split('\n');
    // Behind the last line break is what was torn.
    let torn = lines.pop()!.length;
    for (let line = lines.pop(); line !== undefined; line = lines.pop()) {
      const seq = seqOf(line);
      if (seq !== undefined) {
        this.#bytes -= torn;
        if (torn > 0) truncateSync(file, this.#bytes);
        return seq;
      }
      torn += line.length + 1;
    }
    if (tail.includes(10) || !isTorn(tail))
      throw new Error(`${file} has lines that are not of a delivery log: move it away`);
    truncateSync(file, 0);
    this.#bytes = 0;
    return undefined;
  }
}

function readTail(file: string, bytes: number): Buffer {
  const tail = Buffer.alloc(Math.min(bytes, TAIL_BYTES));
  const fd = openSync(file, 'r');
  try {
    return tail.subarray(0, readSync(fd, tail, 0, tail.length, bytes - tail.length));
  } finally {
    closeSync(fd);
  }
}

/** Whether a text without a line break is what a crash left of a first line: its beginning, or zeros. */
function isTorn(tail: Buffer): boolean {
  const start = tail.toString('latin1', 0, LINE_START.length);
  return LINE_START.startsWith(start) || tail.every((byte) => byte === 0);
}

function seqOf(line: string): number | undefined {
  try {
    const { seq } = JSON.parse(line) as { seq?: unknown };
    return typeof seq === 'number' ? seq : undefined;
  } catch {
    return undefined;
  }
}

/** The domain instead of the address; without what strangers or the sender said of it. */
function anonymous(line: string): string {
  const { recipient, metadata: _metadata, report: _report, reply, ...event } = JSON.parse(line) as Event;
  return JSON.stringify({
    ...event,
    ...(recipient !== undefined && { domain: domainOf(recipient) }),
    ...(reply && { reply: { ...reply, text: withoutNames(reply.text) } }),
  });
}
