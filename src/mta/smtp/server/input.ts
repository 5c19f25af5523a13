/**
 * Bytes received and not yet consumed, and the line reader for commands. No byte is looked at twice and none
 * becomes a string here. A line that grows beyond its limit is skipped as it arrives, so it costs no memory.
 */
const LF = 0x0a;
const CR = 0x0d;
const EMPTY = Buffer.alloc(0);

/** `line`: one is at [start, end); `bare`: the same, but its end was no CRLF; `more`: wait for bytes. */
export type LineStatus = 'line' | 'bare' | 'overlong' | 'more';

export class Input {
  bytes: Buffer = EMPTY;
  /** First byte not consumed. */
  at = 0;
  /** The line that nextLine found, without its end. */
  start = 0;
  end = 0;
  /** Bytes of an overlong line thrown away so far; 0 when not in one. */
  skipped = 0;
  #searched = 0;

  get remaining(): number {
    return this.bytes.length - this.at;
  }

  append(chunk: Buffer): void {
    const rest = this.bytes.length - this.at;
    this.#searched = Math.max(0, this.#searched - this.at);
    this.bytes = rest === 0 ? chunk : Buffer.concat([this.bytes.subarray(this.at), chunk]);
    this.at = 0;
  }

  discard(): void {
    this.bytes = EMPTY;
    this.at = 0;
    this.#searched = 0;
    this.skipped = 0;
  }

  /** Consumes the next line. `overlong` is reported once, when the end of such a line has come. */
  nextLine(maxBytes: number): LineStatus {
    const lf = this.bytes.indexOf(LF, Math.max(this.at, this.#searched));
    if (lf < 0) return this.#incomplete(maxBytes);
    this.start = this.at;
    this.at = lf + 1;
    this.#searched = this.at;
    if (this.skipped > 0 || this.at - this.start > maxBytes) {
      this.skipped = 0;
      return 'overlong';
    }
    // RFC 5321 §2.3.8: only CRLF ends a line.
    const crlf = lf > this.start && this.bytes[lf - 1] === CR;
    this.end = crlf ? lf - 1 : lf;
    return crlf ? 'line' : 'bare';
  }

  #incomplete(maxBytes: number): LineStatus {
    this.#searched = this.bytes.length;
    if (this.skipped > 0 || this.remaining > maxBytes) {
      this.skipped += this.remaining;
      this.at = this.bytes.length;
    }
    return 'more';
  }
}
