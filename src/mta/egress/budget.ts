/** Bytes of content that may be in memory on their way out, over all nodes. Beyond it nothing new is leased. */
export class Budget {
  readonly #limitBytes: number;
  readonly #onRoom: () => void;
  #bytes = 0;
  #refused = false;

  constructor(limitBytes: number, onRoom: () => void) {
    this.#limitBytes = limitBytes;
    this.#onRoom = onRoom;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether more may be taken. After a no, `onRoom` is called when half of it is free again. */
  hasRoom(): boolean {
    if (this.#bytes < this.#limitBytes) return true;
    this.#refused = true;
    return false;
  }

  take(bytes: number): void {
    this.#bytes += bytes;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
    if (!this.#refused || this.#bytes > this.#limitBytes / 2) return;
    this.#refused = false;
    this.#onRoom();
  }
}
