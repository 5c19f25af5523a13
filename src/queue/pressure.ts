/**
 * Back-pressure of injection. Three bounds: free space of the file system that holds the store, bytes of mail that wait
 * for a commit, and a journal that may not be trimmed (`journal.on_full: stop`). Near a bound injection slows, at it injection is refused, and it goes on by itself when there is
 * room again. Sending is never held back: what it records makes room.
 *
 * A delete needs pages too (LMDB copies before it writes), so a file of the reserve's size lies in the data directory
 * and is given up when a commit finds no room: then outcomes can be stored on a disk that others have filled. It is made
 * anew when there is room for it and the reserve beside it.
 *
 * What can wait (`spare`) is written only beside the reserve. The store is not asked to write where the disk would refuse. A write that fails inside LMDB can end the process:
 * lmdb-js 3.5.6 writes what it has to say of it into 100 bytes, and where that is longer, over what lies behind them.
 */
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kv, Op } from './kv.ts';
import { freeIn } from './store-file.ts';

export type PressureLevel = 'none' | 'slow' | 'refuse';

/** Bytes that wait for a commit: half of it slows, all of it refuses. */
const MAX_WAITING_BYTES = 256 * 1024 * 1024;
/** Pause of an injection while it is slowed. */
const SLOW_MS = 100;
const MEASURE_MS = 1_000;
const RESERVE_FILE = 'reserve';
/** The file is a part of the reserve, and no larger than this: it is for outcomes, which are small. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** What a commit must find beside twice the bytes that it writes; of a small reserve a part of that. */
const COMMIT_BYTES = 1024 * 1024;
const COMMIT_PART = 1 / 4;
/** Slots have random keys, so each that is added or taken away may be on another page. */
const SLOT_PAGE_BYTES = 4096;
/** One byte of it is written before each commit. */
const PROBE_FILE = 'probe';
/** With so much free the look of each second is enough: a commit a second long does not fill it. */
const PLENTY_BYTES = 1024 * 1024 * 1024;

/** Two parts of a sentence. */
export interface DiskTrouble {
  readonly text: string;
  readonly remedy: string;
}

export interface PressureOptions {
  readonly dir: string;
  /** Free bytes at which injection is refused; it slows below twice of them. */
  readonly reserveBytes: number;
  readonly report: (level: 'warn' | 'info', text: string, details: Readonly<Record<string, unknown>>) => void;
  /** Free bytes of a file system; a seam for tests. */
  readonly freeBytes?: (dir: string) => number;
}

export class Pressure {
  readonly #options: PressureOptions;
  readonly #file: string;
  readonly #timer: NodeJS.Timeout;
  #free = Infinity;
  /** A commit failed, and none has succeeded since. */
  #failing: Error | undefined;
  #probe: number | undefined;
  #waitingBytes = 0;
  #journal: string | undefined;
  #told: PressureLevel = 'none';
  /** Resolves when the file has been looked after. */
  reserved: Promise<void> = Promise.resolve();

  constructor(options: PressureOptions) {
    this.#options = options;
    this.#file = join(options.dir, RESERVE_FILE);
    this.measure();
    this.#timer = setInterval(() => this.measure(), MEASURE_MS).unref();
  }

  get level(): PressureLevel {
    const { reserveBytes } = this.#options;
    if (
      this.#journal !== undefined ||
      this.#failing ||
      this.#free < reserveBytes ||
      this.#waitingBytes >= MAX_WAITING_BYTES
    )
      return 'refuse';
    return this.#free < 2 * reserveBytes || this.#waitingBytes >= MAX_WAITING_BYTES / 2 ? 'slow' : 'none';
  }

  /** Why injection is refused or slowed; undefined when it is not. */
  get reason(): string | undefined {
    return this.#failing ? this.ofDisk?.text : (this.#journal ?? this.ofDisk?.text);
  }

  /** What is wrong with the disk, also while it is the journal for which injection is refused, and what to do. */
  get ofDisk(): DiskTrouble | undefined {
    const { reserveBytes, dir } = this.#options;
    const short = this.#free < 2 * reserveBytes;
    if (this.#failing)
      return {
        text: `the store cannot write: ${this.#failing.message}`,
        remedy: short
          ? `make room in ${dir}`
          : `see dmesg; a file system that turned read-only is mended (fsck) and mounted anew while postrider is stopped, and nothing that was accepted is lost by that`,
      };
    if (short)
      return {
        text: `${megabytes(this.#free)} are free in ${dir}: injection is slowed below ${megabytes(2 * reserveBytes)} and refused below ${megabytes(reserveBytes)} (disk_reserve), sending goes on`,
        remedy: 'make room',
      };
    if (this.#waitingBytes >= MAX_WAITING_BYTES / 2)
      return {
        text: `${megabytes(this.#waitingBytes)} of mail wait for the disk`,
        remedy: `look for what keeps the disk of ${dir} busy (iostat -x 1)`,
      };
    return undefined;
  }

  /** The last commit failed: only one that succeeds says that the disk is well again. */
  get failing(): boolean {
    return this.#failing !== undefined;
  }

  get freeBytes(): number {
    return this.#free;
  }

  /** Says whether mail may come in; takes its time when that is to be slowed. */
  async admit(): Promise<boolean> {
    const { level } = this;
    if (level === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    return this.level !== 'refuse';
  }

  /** So many bytes of mail begin, or with a minus cease, to wait for a commit. */
  waits(bytes: number): void {
    this.#waitingBytes += bytes;
  }

  /** Why the journal takes no more mail; undefined when it does. */
  journal(full: string | undefined): void {
    this.#journal = full;
  }

  /** The same store, which is asked only for what the disk will take, and whose failed commits give the reserve up. */
  guard(kv: Kv): Kv {
    return {
      ...kv,
      spare: () => this.#spare(),
      commit: async (ops) => {
        try {
          this.#mustFit(ops);
          await kv.commit(ops);
          this.#failing = undefined;
        } catch (error) {
          this.#failed(error as Error);
          throw error;
        }
      },
    };
  }

  /** Looks at the disk, and tells when the level has changed. */
  measure(): void {
    try {
      this.#look();
      this.reserved = this.reserved.then(() => this.#keepFile()).catch(() => undefined);
    } catch {
      // The next commit will say what is wrong with the disk.
    }
    const { level, reason } = this;
    if (level === this.#told) return;
    this.#told = level;
    const says = { none: 'mail is taken again', slow: 'injection is slowed', refuse: 'injection is refused' };
    this.#options.report(level === 'none' ? 'info' : 'warn', says[level], { ...(reason && { reason }) });
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#probe !== undefined) closeSync(this.#probe);
    this.#probe = undefined;
    rmQuietly(join(this.#options.dir, PROBE_FILE));
  }

  /** What is free beside the reserve. */
  #spare(): number {
    if (this.#failing) return 0;
    try {
      if (this.#free < PLENTY_BYTES) this.#look();
    } catch {
      return 0;
    }
    return Math.max(0, this.#free - this.#options.reserveBytes);
  }

  #look(): void {
    this.#free = (this.#options.freeBytes ?? freeIn)(this.#options.dir);
  }

  /** Throws where a commit of these would find no room, or a file system that takes nothing. */
  #mustFit(ops: readonly Op[]): void {
    const { dir, reserveBytes } = this.#options;
    let room = Math.min(COMMIT_BYTES, reserveBytes * COMMIT_PART);
    for (const { table, value } of ops)
      room += table === 'schedule' ? SLOT_PAGE_BYTES : 2 * (value?.length ?? 0);
    if (this.#free - room < PLENTY_BYTES || this.#failing) this.#look();
    if (this.#free < room) {
      this.#giveUp();
      this.#look();
    }
    if (this.#free < room) throw new Error(`no space is left, ${megabytes(this.#free)} are free in ${dir}`);
    this.#probe ??= openSync(join(dir, PROBE_FILE), 'w', 0o600);
    writeSync(this.#probe, PROBE, 0, 1, 0);
  }

  #failed(error: Error): void {
    this.#failing = error;
    this.#giveUp();
    this.measure();
  }

  /** After a failure an outcome has to go through before anything is reserved again. */
  async #keepFile(): Promise<void> {
    const bytes = Math.min(this.#options.reserveBytes, MAX_FILE_BYTES);
    const there = statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
    if (there >= bytes || this.#failing || this.#free < 2 * this.#options.reserveBytes + bytes) return;
    // Written, not only made longer: a hole has no blocks to give back.
    await writeFile(this.#file, Buffer.alloc(bytes), { mode: 0o600 });
    if (this.#failing) this.#giveUp();
  }

  #giveUp(): void {
    rmQuietly(this.#file);
  }
}

const PROBE = Buffer.of(1);

function rmQuietly(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Read-only: then room is not what is missing.
  }
}

const megabytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MB`;
