/**
 * Collects the bytes of one message. Large pieces are kept by reference, small ones are copied together, so a peer
 * that sends byte by byte costs no more memory than one that does not. What is held counts against a budget shared
 * by all sessions; beyond the message limit or the budget the bytes are counted but not kept.
 */
const SMALL_BYTES = 2048;
const BLOCK_BYTES = 16 * 1024;
const EMPTY = Buffer.alloc(0);

/** Bytes of unfinished messages over all sessions of a server. */
export class Budget {
  readonly #maxBytes: number;
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get heldBytes(): number {
    return this.#held;
  }

  take(bytes: number): boolean {
    if (this.#held + bytes > this.#maxBytes) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

export type Overflow = 'size' | 'memory';

export class Content {
  readonly #budget: Budget;
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  /** Block that small pieces are copied to; the first `#filled` bytes are used, those before `#taken` are in #pieces. */
  #block: Buffer = EMPTY;
  #filled = 0;
  #taken = 0;
  #held = 0;
  /** All bytes seen, kept or not. */
  bytes = 0;
  overflow: Overflow | undefined;

  constructor(maxBytes: number, budget: Budget) {
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** Adds [start, end) of a chunk. */
  append(chunk: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length <= 0) return;
    this.bytes += length;
    if (this.overflow !== undefined) return;
    if (this.bytes > this.#maxBytes) this.#drop('size');
    else if (!this.#budget.take(length)) this.#drop('memory');
    else {
      this.#held += length;
      if (length < SMALL_BYTES && this.#held > length) this.#copy(chunk, start, end);
      else this.#keep(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end));
    }
  }

  /** The whole message; what was collected is forgotten, its bytes stay on the budget until `reset`. */
  take(): Buffer {
    this.#closeBlock();
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  /** Ready for the next message. */
  reset(): void {
    this.#budget.give(this.#held);
    this.#held = 0;
    if (this.#pieces.length > 0) this.#pieces = [];
    this.#block = EMPTY;
    this.#filled = 0;
    this.#taken = 0;
    this.bytes = 0;
    this.overflow = undefined;
  }

  #keep(piece: Buffer): void {
    this.#closeBlock();
    this.#pieces.push(piece);
  }

  #copy(chunk: Buffer, start: number, end: number): void {
    if (this.#filled + (end - start) > this.#block.length) {
      this.#closeBlock();
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#filled = 0;
      this.#taken = 0;
    }
    this.#filled += chunk.copy(this.#block, this.#filled, start, end);
  }

  #closeBlock(): void {
    if (this.#filled === this.#taken) return;
    this.#pieces.push(this.#block.subarray(this.#taken, this.#filled));
    this.#taken = this.#filled;
  }

  #drop(why: Overflow): void {
    this.#budget.give(this.#held);
    this.#held = 0;
    this.#pieces = [];
    this.#block = EMPTY;
    this.#filled = 0;
    this.#taken = 0;
    this.overflow = why;
  }
}
