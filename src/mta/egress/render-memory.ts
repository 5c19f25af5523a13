/**
 * Memory for rendered contents, used again for the next one. Fresh memory for each would be some 30 KB per recipient
 * outside of V8's heap, for which V8 collects the whole heap every thousand recipients or so.
 *
 * A buffer may come back only when nobody reads it any more: when the message was accepted and all of it has left the
 * process. Otherwise it is left to the garbage collector.
 */
const MAX_BUFFERS = 64;
const MAX_BYTES = 128 * 1024;

export class RenderMemory {
  readonly #free: Buffer[] = [];

  /** So many bytes or more, with nothing else in their ArrayBuffer. */
  readonly take = (bytes: number): Buffer => {
    const free = this.#free.pop();
    return free !== undefined && free.length >= bytes ? free : Buffer.allocUnsafeSlow(bytes);
  };

  /** The memory that a content stands in may be written to again. */
  giveBack({ buffer }: Buffer): void {
    if (buffer.byteLength <= MAX_BYTES && this.#free.length < MAX_BUFFERS)
      this.#free.push(Buffer.from(buffer));
  }
}
