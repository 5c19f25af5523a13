/**
 * Which leased deliveries had begun to send their content: written beside the store, so that after a crash of the
 * program only those count as possible duplicates. It is never synced, for the pages of a file outlive SIGKILL; what
 * they do not outlive is the machine, so a file of another boot says nothing, and then every leased delivery counts. Nor
 * does it say anything of a file system that loses writes while the machine runs on.
 *
 * A slot of 16 bytes for each delivery that has begun and has no durable outcome; freed slots keep what they held, which
 * can only mark too many. Each run of the program makes its own file, after what the run before had leased has gone back
 * and before anything is leased.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type DeliveryId, deliveryIdOf } from '../core/index.ts';
import type { Delivery } from './records.ts';

const NAME = 'sending';
const HEAD_BYTES = 64;
const SLOT_BYTES = 16;

export class SendingFile {
  readonly #path: string;
  readonly #boot: string | undefined;
  #fd: number | undefined;
  /** Why the file is not written any more; it is there still, and must not be believed. */
  #stale: unknown;
  #gaveUp: ((error: unknown) => void) | undefined;
  readonly #slots = new Map<DeliveryId, number>();
  readonly #free: number[] = [];
  #next = 0;
  readonly #slot = Buffer.alloc(SLOT_BYTES);
  /** What the run before had begun; undefined when nobody knows. */
  readonly before: ReadonlySet<string> | undefined;

  /**
   * Of a data directory. `boot` is the name of this start of the machine (`Boot`); where one is not told from another
   * there is no file, and nobody knows.
   */
  constructor(dir: string, boot: string | undefined) {
    this.#path = join(dir, NAME);
    this.#boot = boot;
    this.before = boot === undefined ? undefined : readBegun(this.#path, boot);
  }

  /**
   * Begins the file of this run; what the one before had leased has gone back, and that is durable. `gaveUp` is told
   * why, when the file cannot be written any more.
   */
  start(gaveUp: (error: unknown) => void): void {
    const boot = this.#boot;
    this.#gaveUp = gaveUp;
    rmSync(this.#path, { force: true });
    if (boot === undefined) return;
    try {
      this.#fd = openSync(this.#path, 'wx', 0o600);
      writeSync(this.#fd, Buffer.from(boot.padEnd(HEAD_BYTES)), 0, HEAD_BYTES, 0);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /**
   * The first byte of the content is about to be written. Throws as long as that cannot be told, nor the file taken
   * away: then nothing may be sent, for the next start would believe the file.
   */
  begun({ id, number, index }: Pick<Delivery, 'id' | 'number' | 'index'>): void {
    if (this.#stale !== undefined) this.#takeAway();
    if (this.#fd === undefined || this.#slots.has(id)) return;
    const at = this.#free.pop() ?? this.#next++;
    this.#slot.writeBigUInt64BE(BigInt(number), 0);
    this.#slot.writeUInt32BE(index, 8);
    this.#slot.writeUInt32BE(crc32(this.#slot.subarray(0, 12)), 12);
    try {
      writeSync(this.#fd, this.#slot, 0, SLOT_BYTES, HEAD_BYTES + SLOT_BYTES * at);
      this.#slots.set(id, at);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Its outcome is durable. */
  ended(id: DeliveryId): void {
    const at = this.#slots.get(id);
    if (at === undefined) return;
    this.#slots.delete(id);
    this.#free.push(at);
  }

  /** Nothing is leased any more. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    rmSync(this.#path, { force: true });
  }

  /** A file that does not know all must not be believed: it goes, or loses its head. */
  #giveUp(error: unknown): void {
    this.#stale = error;
    this.#gaveUp?.(error);
    this.#takeAway();
  }

  #takeAway(): void {
    const fd = this.#fd;
    try {
      rmSync(this.#path, { force: true });
    } catch (error) {
      if (fd === undefined) throw error;
      ftruncateSync(fd, 0);
    }
    this.#stale = undefined;
    this.#fd = undefined;
    try {
      if (fd !== undefined) closeSync(fd);
    } catch {
      // Of a file that is gone: nothing depends on it.
    }
  }
}

/** Undefined when the file is missing, of another boot, or damaged. */
function readBegun(path: string, boot: string): ReadonlySet<string> | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return undefined;
  }
  if (bytes.toString('latin1', 0, HEAD_BYTES) !== boot.padEnd(HEAD_BYTES)) return undefined;
  if ((bytes.length - HEAD_BYTES) % SLOT_BYTES !== 0) return undefined;
  const begun = new Set<string>();
  for (let at = HEAD_BYTES; at < bytes.length; at += SLOT_BYTES) {
    if (bytes.readUInt32BE(at + 12) !== crc32(bytes.subarray(at, at + 12))) return undefined;
    begun.add(deliveryIdOf(Number(bytes.readBigUInt64BE(at)), bytes.readUInt32BE(at + 8)));
  }
  return begun;
}
