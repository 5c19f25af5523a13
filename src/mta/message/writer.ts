/** One growing buffer for the bytes of a rendered content: no chunk list and no join at the end. */
export class ContentWriter {
  #buffer: Buffer;
  #length = 0;

  /** `expectedBytes` should be a little more than what will come; more is allowed. */
  constructor(expectedBytes: number) {
    this.#buffer = Buffer.allocUnsafe(expectedBytes);
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
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
