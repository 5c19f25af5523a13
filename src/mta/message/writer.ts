/**
 * One growing buffer for the bytes of a rendered content: no chunk list and no join at the end. Its memory is its own,
 * no part of the shared pool.
 */
export class ContentWriter {
  readonly #room: number;
  #buffer: Buffer;
  #length: number;

  /** Writes behind `room` bytes of the memory; when that is too small for what comes, it takes a larger one. */
  constructor(memory: Buffer, room: number) {
    this.#buffer = memory;
    this.#room = room;
    this.#length = room;
  }

  bytes(block: Buffer): void {
    this.#reserve(block.length);
    this.#length += block.copy(this.#buffer, this.#length);
  }

  utf8(text: string): void {
    this.#reserve(text.length * 3);
    this.#length += this.#buffer.write(text, this.#length, 'utf8');
  }

  /** Short text of characters below 128: a loop is faster than the way into C++. */
  shortAscii(text: string): void {
    this.#reserve(text.length);
    const buffer = this.#buffer;
    let to = this.#length;
    for (let at = 0; at < text.length; at++) buffer[to++] = text.charCodeAt(at);
    this.#length = to;
  }

  /** What was written. The writer must not be used afterwards. */
  finish(): Buffer {
    return this.#buffer.subarray(this.#room, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
